"""Each shipped config of a published data set on the tree of its archive."""

import json
import math

import pytest

pytest.importorskip("mmengine")

from metaloss.cli.main import main
from metaloss.configs import shipped_configs
from metaloss.data import KnownDataset, known_datasets, paired_datasets
from metaloss.engine import build_dataset, load_config
from metaloss.engine.settings import value_at

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ImportWarning:mmcv"),
]
TREES = {"msrs": "msrs", "fmb": "fmb", "m3fd": "m3fd", "llvip": "llvip"}
REFUSION = {"ivif": "roadscene", "mif": "harvard", "mfif": "lytro", "mef": "mefb"}
CONFIGS = {
    name: TREES.get(name.rpartition("_")[2]) or REFUSION.get(name.rpartition("/")[2])
    for name in shipped_configs()
    if name.rpartition("_")[2] in TREES or name.removeprefix("refusion/") in REFUSION
}
FRAMEWORKS = {"segformer": "mmseg", "yolov8": "metaloss_ultralytics.framework", "yolox": "mmdet"}
SPLITS = {  # few scenes of the two that have all of them
    "msrs": ("train[::300]", "test[::180]"),
    "fmb": ("train[::400]", "test[::140]"),
}
COUNTS = {"segformer_msrs": (1083, 361), "segformer_fmb": (1220, 280), "yolov8_msrs": (64, 16), "yolov8_m3fd": (9, 3)}


@pytest.mark.parametrize("name", CONFIGS)
def test_it_reads_the_tree_as_the_record_says(published, name):
    config = load_config(name, {"data_root": str(published(CONFIGS[name]))})
    train, val = (build_dataset(config, f"{part}_dataloader") for part in ("train", "val"))
    pairs = [[pair for each in paired_datasets(dataset) for pair in each.pairs] for dataset in (train, val)]
    counts = tuple(map(len, pairs))
    assert counts == COUNTS.get(name.partition("/")[2], counts)
    assert not {pair.sources for pair in pairs[0]} & {pair.sources for pair in pairs[1]}
    for dataset in paired_datasets(train):
        assert isinstance(dataset, KnownDataset)
        assert "as it unpacks" in dataset.found
        part = dataset.record.parts[config.get("target")]
        assert dataset.classes == part.classes == tuple(config.get("classes") or ())


@pytest.mark.parametrize("name", [name for name in CONFIGS if not name.startswith("refusion")])
def test_what_is_given_at_the_top_wins(published, name, tmp_path):
    given = {"sources": ("a", "b"), "target": "c", "train_split": "d.txt", "val_split": "[-1:]", "classes": ("e", "f")}
    config = load_config(name, {**given, "ignore": 7, "data_root": str(tmp_path)})
    for part in ("train", "val"):
        dataset = value_at(config, f"{part}_dataloader.dataset")
        assert (dataset.type, dataset.ignore, dataset.classes) == ("metaloss.KnownDataset", 7, ("e", "f"))
        assert dataset.name in known_datasets()
    more = load_config(name, {"train_dataloader.dataset.missing": "empty"})
    assert more.train_dataloader.dataset.missing == "empty"


@pytest.fixture
def train(tmp_path, capsys):
    """Trains by command in this process; gives what was printed and each step's scalars."""

    def run(name, *options):
        with pytest.raises(SystemExit) as stopped:
            main(["train", name, "--work-dir", str(tmp_path / "work"), "--cfg-options", *options])
        written = capsys.readouterr()
        assert stopped.value.code == 0, written.err
        [log] = (tmp_path / "work").glob("*/vis_data/scalars.json")
        return written.out, [json.loads(line) for line in log.read_text().splitlines()]

    return run


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*no (pixel|box) in the labels of")
@pytest.mark.parametrize("name", CONFIGS)
def test_it_trains_two_steps(published, train, name):
    pytest.importorskip(FRAMEWORKS.get(name.partition("/")[2].partition("_")[0], "mmengine"))
    known = CONFIGS[name]
    size = "(64,64)" if "yolo" in name else "(32,32)"
    options = [f"data_root={published(known)}", "max_epochs=1", "warmup_epochs=0", "meta_steps=1", "crop_size=16"]
    options += [f"task_size={size}", "val_evaluator=[]", "custom_hooks=[{'type':'metaloss.SummaryHook'}]"]
    options += ["default_hooks.logger.interval=1", "default_hooks.checkpoint.max_keep_ckpts=1"]
    if known in SPLITS and "yolo" not in name:
        options += [f"train_split={SPLITS[known][0]}", f"val_split={SPLITS[known][1]}"]
    elif known == "msrs":
        options += ["train_split=train[::20]", "val_split=test[::8]"]
    elif not name.startswith("refusion"):
        options += ["train_split=train[::3]", "val_split=test[::2]"]
    else:
        options += ["tiles=(1,1)", "meta_steps=2"]  # which are one update of the loss
    out, scalars = train(name, *options)
    steps = [line for line in scalars if "meta/outer_loss" in line or "fusion/loss" in line]
    assert {key for line in steps for key in line} >= {"meta/outer_loss", "fusion/loss", "fusion/task_loss"}
    assert len(steps) >= 2
    assert all(math.isfinite(value) for line in steps for value in line.values() if isinstance(value, float))
    assert f"as it unpacks in {published(known)}" in out
    if known == "fmb":
        for words in ("mIoU/15 classes", "mIoU/14 classes", "mIoU/13 classes", "no pixel is labelled bicycle"):
            assert words in out
    if known == "msrs" and "segformer" in name:
        assert "mIoU/8 classes" in out
        assert "mIoU (9 classes)" in out
