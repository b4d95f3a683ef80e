"""The site is built without a warning, loads nothing from elsewhere, and has every public name; its notebook runs."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT

NOTEBOOK = ROOT / "docs" / "tutorials" / "scenes.ipynb"
SMALL = "size = (32, 32)\ntrain_scenes, epochs, meta_steps = 4, 2, 1"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("mkdocs", "material", "mkdocstrings", "nbconvert"):
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    loads = re.compile(
        r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\s>]*"
        r"|<link\b(?![^>]*\brel=[\"']?(?:canonical|prev|next))[^>]*\bhref=[\"']?(?:https?:)?//[^\s>]*"
        r"|@import[^;]*//[^;]*|url\([\"']?(?:https?:)?//[^)]*"
    )
    pages = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(pages) > 50
    assert not {(path.name, found) for path in pages for found in loads.findall(path.read_text(encoding="utf-8"))}


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(site):
    from mkdocstrings import Inventory

    with (site / "objects.inv").open("rb") as file:
        documented = set(Inventory.parse_sphinx(file))
    page = PAGES["docs/api/metaloss.metrics.md"]
    names = (ROOT / "tests" / "docs" / "public_names.txt").read_text(encoding="utf-8").split()
    assert len(names) > 250
    for name in names:
        module, _, last = name.rpartition(".")
        in_a_table = module == "metaloss.metrics" and f"| `{last}` |" in page
        by_path = re.findall(rf"^::: ({re.escape(module)}\.\w+\.{last})$", PAGES[f"docs/api/{module}.md"], re.MULTILINE)
        assert documented & {name, *by_path} or in_a_table, name


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    [settings] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    settings.source = SMALL
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_the_notebook_is_stored_with_its_outputs():
    import json

    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    pictures = [output for cell in code for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) >= 4
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    for cell in code:
        ast.parse("".join(cell["source"]))
    assert not re.search(r"/(?:home|root|tmp|work)/", json.dumps([cell["outputs"] for cell in code])), Path.cwd()
