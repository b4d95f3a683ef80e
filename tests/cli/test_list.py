import pytest

import metaloss
from metaloss.configs import shipped_configs
from metaloss.inference import pretrained
from metaloss.plugins import records


@pytest.mark.parametrize("kind", ["tasks", "fusion_networks", "loss_generators", "hypergradients"])
def test_every_record_is_listed_with_its_state(command, kind):
    done = command("list")
    assert (done.status, done.err) == (0, "")
    lines = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    for name, record in records(kind).items():
        assert record.description in lines[name]
        assert record.missing() or "ready" in lines[name]


def test_every_shipped_config_is_listed(command):
    out = command("list").out
    refusion = {f"refusion/{task}" for task in ("ivif", "ivif_synthetic", "mef", "mfif", "mif")}
    assert refusion | {"tdfusion/segformer_cwfid", "tdfusion/segformer_synthetic"} <= set(shipped_configs())
    assert all(name in out for name in shipped_configs())
    assert "TDFusion with SegFormer-B0 on procedural scenes: needs no download." in out
    assert "_base_" not in out


def test_shipped_weights_are_listed_with_their_card(command, tmp_path, monkeypatch):
    def shown():
        lines = [line.rstrip() for line in command("list").out.splitlines()]
        return lines[lines.index("weights") + 1 :]

    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert shown() == ["  none come with this installation"]
    for name in ("ivif", "mif"):
        (tmp_path / f"{name}.pth").write_bytes(b"")
    (tmp_path / "ivif.md").write_text("# Infrared and visible, [small]\n\nMore.\n")
    assert shown() == ["  ivif    Infrared and visible, [small]", "  mif"]


def test_version_and_help(command):
    assert command("--version").out == f"metaloss {metaloss.__version__}\n"
    for arguments, word in (
        ([], "fuse"),
        (["-h"], "train"),
        (["train", "--help"], "--cfg-options"),
        (["fuse", "-h"], "--stretch"),
    ):
        done = command(*arguments)
        assert word in done.out + done.err
