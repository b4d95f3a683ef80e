"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest
from pages import ROOT

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "metaloss").rglob("*.py"))
    if "\n    >>> " in path.read_text(encoding="utf-8") or "\n        >>> " in path.read_text(encoding="utf-8")
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("module", MODULES)
def test_examples(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(module), optionflags=OPTIONS)
    assert found.attempted
    assert found.failed == 0


def test_the_top_names_have_examples():
    import metaloss
    from metaloss import data, metrics, networks, testing
    from metaloss.metrics import evaluate

    names = [
        *(metaloss.Adapted, metaloss.Concatenated, metaloss.FusionBatch, metaloss.LearnableFusionLoss),
        *(metaloss.MetaLearner, metaloss.ModuleTask, metaloss.MultiTask, metaloss.ReconstructionTask),
        *(metaloss.build_fusion, metaloss.build_task, metaloss.build_loss_generator, networks.ReFusionNet),
        *(networks.LossGenerator, data.SyntheticScenes, data.PairedDataset, data.collate, data.write_scenes),
        *(evaluate, metrics.fusion_metrics, testing.check_fusion, testing.check_task, metaloss.TaskAdapter),
    ]
    without = [each.__name__ for each in names if ">>> " not in (each.__doc__ or "")]
    assert not without
    assert {each.__module__ for each in names} <= set(MODULES) | {Path(__file__).stem}
