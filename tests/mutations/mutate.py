"""Makes each mutation in a copy of the repository, and runs the fast tests that have to notice it.

A result stands until the mutation, the mutated file or its tests change: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mutation import ROOT, Mutation, python_files
from table import BY_KIND, MUTATIONS

RESULTS = ROOT / ".cache" / "mutations.json"
Result = dict[str, Any]
NOT_RUN: Result = {"outcome": "not run", "by": "", "seconds": 0}


def main() -> None:
    """Runs the command; its status is 1 where a mutation is not what the table says."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="this mutation; may be given again")
    parser.add_argument("--of", choices=BY_KIND, help="the mutations of this alone")
    parser.add_argument("--list", action="store_true", help="show the mutations and what is known of them")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="of one run of tests; default 300")
    options = parser.parse_args()
    chosen = choose(options.only, BY_KIND[options.of] if options.of else MUTATIONS)
    results = read()
    if not options.list:
        check_unmutated([each for each in chosen if is_open(known(each, results))], results, options.limit)
    for mutation in chosen:
        if not options.list and is_open(known(mutation, results)):
            results[key_of(mutation)] = {"name": mutation.name, **attempt(mutation, options.limit)}
            write(results)
        print(line(mutation, known(mutation, results)), flush=True)
    sys.exit(summary(chosen, results))


def choose(names: Sequence[str] | None, mutations: Sequence[Mutation] = MUTATIONS) -> list[Mutation]:
    """Gives the mutations of these names; all for ``None``."""
    known = {mutation.name: mutation for mutation in mutations}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        sys.exit(f"error: no mutation {unknown[0]!r}: --list shows them")
    return [known[name] for name in names or known]


def check_unmutated(chosen: Sequence[Mutation], results: dict[str, Result], limit: float) -> None:
    """Runs all their tests on the code as it is: what fails there says nothing of a mutation."""
    tests = sorted({place for mutation in chosen for place in mutation.tests})
    key = digest(tests, python_files((*tests, "tests/*.py", "metaloss", "adapters")))
    if not tests or key in results:
        return
    print(f"the code without a mutation: {', '.join(tests)}", flush=True)
    with copied() as folder:
        found = run_tests(Path(folder), tests, max(limit, 900))
    if found["outcome"] != "survived":
        sys.exit(f"error: the tests fail without any mutation ({found['outcome']}): {found['by']}")
    results[key] = {"name": "", **found}
    write(results)


def attempt(mutation: Mutation, limit: float) -> Result:
    """Makes one mutation in a copy, and runs its tests there."""
    with copied() as folder:
        path = Path(folder, mutation.file)
        path.write_text(mutation.mutated(Path(folder)), encoding="utf-8")
        return run_tests(Path(folder), mutation.tests, limit)


def copied() -> tempfile.TemporaryDirectory[str]:
    """Copies what git knows or does not ignore, as it stands now; the copy goes when it is left."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    folder = tempfile.TemporaryDirectory(prefix="metaloss-mutation-")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            Path(folder.name, name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, Path(folder.name, name))
    return folder


def run_tests(folder: Path, tests: Iterable[str], limit: float) -> Result:
    """Runs fast tests in a folder, up to the first that fails.

    Args:
        folder: of a copy.
        tests: files or folders.
        limit: seconds.

    Returns:
        ``outcome``, which is ``killed``, ``survived`` or ``timeout``; ``by``, the test that failed; ``seconds``.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    paths = os.pathsep.join(map(str, (folder, folder / "adapters")))
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, *tests],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return {"outcome": "timeout", "by": "", "seconds": limit}
    finally:
        if process.poll() is None:  # with whatever it has started
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode not in (0, 1):  # 1: a test failed; else none was run
        sys.exit(f"error: the tests did not run:\n{out[-3000:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+(?: \S+)*?)(?: - |$)", out, re.MULTILINE)
    outcome = "killed" if process.returncode else "survived"
    return {"outcome": outcome, "by": failed[1] if failed else "", "seconds": round(time.monotonic() - began)}


def known(mutation: Mutation, results: dict[str, Result]) -> Result:
    """Gives what is known of a mutation."""
    return results.get(key_of(mutation), NOT_RUN)


def is_open(result: Result) -> bool:
    """Whether a mutation has to be tried, again where the time was short."""
    return result["outcome"] in ("not run", "timeout")


def key_of(mutation: Mutation) -> str:
    """Makes the key of a mutation's result, of what it depends on but for the rest of the code."""
    made = (mutation.file, mutation.find, mutation.replace, mutation.tests)
    return digest(made, [ROOT / mutation.file, *mutation.test_files()])


def digest(value: Any, files: Iterable[Path]) -> str:
    """Sums up a plain value and the contents of files."""
    found = hashlib.sha256(repr(value).encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


def read() -> dict[str, Result]:
    """Reads the results so far."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}


def write(results: dict[str, Result]) -> None:
    """Writes the results so far."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def summary(chosen: Sequence[Mutation], results: dict[str, Result]) -> int:
    """Prints the totals; gives the status of the command."""
    outcomes = {mutation: known(mutation, results)["outcome"] for mutation in chosen}
    counted = Counter(outcomes.values())
    print(f"{len(chosen)} mutations: {', '.join(f'{count} {name}' for name, count in counted.most_common())}")
    wrong = [
        mutation.name
        for mutation, outcome in outcomes.items()
        if outcome != "not run" and (outcome == "survived") != bool(mutation.survives)
    ]
    if wrong:
        print(f"not what the table says: {', '.join(wrong)}")
    return bool(wrong)


def line(mutation: Mutation, result: Result) -> str:
    """Shows one result, with the test that noticed, or why none can."""
    why = mutation.survives if result["outcome"] == "survived" else result["by"]
    return f"{result['outcome']:10}{mutation.name:52}{mutation.file:40}{why}"


if __name__ == "__main__":
    main()
