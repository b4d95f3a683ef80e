"""The table of mutations keeps up with the code; `make mutants` runs the tests against them."""

import ast

import pytest
from mutation import Mutation
from table import MUTATIONS


def test_names_are_of_one_mutation_each():
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_can_be_made_in_todays_code(mutation):
    ast.parse(mutation.mutated())
    assert mutation.test_files()


@pytest.mark.parametrize(("find", "times"), [("x", 0), ("a", 2)])
def test_a_text_that_is_not_there_once_is_refused(find, times, tmp_path):
    (tmp_path / "code.py").write_text("a = a0\n")
    mutation = Mutation(name="some fault", file="code.py", find=find, replace="b", tests=())
    with pytest.raises(ValueError, match=f"some fault: its text occurs {times} times in code.py"):
        mutation.mutated(tmp_path)
