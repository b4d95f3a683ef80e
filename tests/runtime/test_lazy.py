"""Packages that import their names when asked."""

import importlib.util
import subprocess
import sys

import pytest

import metaloss
import metaloss.data.known


@pytest.mark.parametrize("package", [metaloss, metaloss.data, metaloss.data.known])
def test_every_name_is_where_the_table_says_and_no_module_takes_its_place(package):
    assert set(package.__all__) - {"__version__"} <= package._PLACES.keys() | vars(package).keys()
    for name, place in package._PLACES.items():
        value = getattr(package, name)
        if place != name:
            assert importlib.util.find_spec(f"{package.__name__}.{name}") is None, name
            assert value is getattr(importlib.import_module(f"{package.__name__}.{place}"), name)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_the_list_of_data_sets_needs_no_torch():
    program = (
        "import sys; from metaloss.cli.main import main\n"
        "try: main(['data', 'list', 'fmb'])\n"
        "except SystemExit as end: print(end.code, [name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("fmb: FMB\n")
    assert done.stdout.endswith("\n0 []\n")
