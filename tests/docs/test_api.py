"""Public names: none goes unseen, each is there, and each is in the API reference."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT

_spec = importlib.util.spec_from_file_location("public_names", Path(__file__).with_name("public_names.py"))
assert _spec
assert _spec.loader
public = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(public)
NAMES = public.public_names()


def test_the_snapshot_is_todays():
    before, now = (set(text.split()) for text in (public.FILE.read_text(encoding="utf-8"), public.as_text()))
    changes = [f"gone: {name}" for name in sorted(before - now)] + [f"new: {name}" for name in sorted(now - before)]
    assert not changes, "\n".join([*changes, "if that is wanted: python tests/docs/public_names.py, and CHANGELOG.md"])


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_there(module):
    if module in ("metaloss.engine", "metaloss.registry"):
        pytest.importorskip("mmengine")
    found = importlib.import_module(module)
    for name in NAMES[module]:
        there = getattr(found, name, None) is not sys.modules.get(f"{module}.{name}")
        assert there, f"{module}.{name} is a module, or absent"


@pytest.mark.parametrize("module", NAMES)
def test_every_module_has_a_page(module):
    page = PAGES[f"docs/api/{module}.md"]
    assert f"::: {module}\n" in page
    assert f"]({module}.md)" in PAGES["docs/api/index.md"]
    for name in NAMES[module]:  # a function that is called as its module is asked for by its whole path
        if (ROOT / module.replace(".", "/") / f"{name}.py").exists():
            assert re.search(rf"^::: {module}\.\w+\.{name}$", page, re.MULTILINE), name


def test_every_metrics_class_is_on_its_page():
    pytest.importorskip("torchmetrics")
    from metaloss.metrics import METRICS

    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| `(\w+)` \|$", PAGES["docs/api/metaloss.metrics.md"], re.MULTILINE)
    assert rows == [(info.class_name, info.name, info.function.__name__) for info in METRICS.values()]


def test_one_version():
    import metaloss

    assert f"\nversion: {metaloss.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(metaloss.__version__)}$", PAGES["CHANGELOG.md"], re.MULTILINE)
