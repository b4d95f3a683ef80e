"""Exported files give the network's own images, in processes that have no metaloss."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import metaloss
from metaloss.errors import ConfigError, PluginError, ShapeError
from metaloss.inference import export as exporting

ROOT = Path(__file__).parents[2]
SIZES = ((1, 40, 56), (2, 68, 92), (1, 352, 300))  # multiples of the strides; the last one passes in bands
WITHOUT_METALOSS = "import sys\nsys.modules['metaloss'] = None\n"  # an import of it fails
CHECK = """
import json
import numpy as np

def images(file, sources):
    if file.endswith(".onnx"):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return session.run(["fused"], dict(zip(["ir", "vi"], sources)))[0]
    import torch
    with torch.no_grad():
        return torch.export.load(file).module()(*map(torch.from_numpy, sources)).numpy()

for file in sys.argv[1:]:
    known = np.load(file + ".npz")
    for number in range(len(known) // 3):
        ir, vi, fused = (known[f"{name}{number}"] for name in ("ir", "vi", "fused"))
        found = images(file, [ir, vi])
        assert found.shape == fused.shape and abs(found - fused).max() < 1e-4, (file, number, abs(found - fused).max())
try:
    import metaloss
except ImportError:
    print("checked", len(sys.argv) - 1)
"""


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import any_network

    return any_network.NETWORKS


def run(program, *arguments, folder=None):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_METALOSS + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
    )


def known_images(network, path, shapes=SIZES):
    """Keeps sources, and what the network makes of them, beside its file."""
    arrays = {}
    for number, shape in enumerate(shapes):
        ir, vi = torch.rand(shape[0], 1, *shape[1:]), torch.rand(shape[0], 1, *shape[1:])
        with torch.no_grad():
            fused = network(ir, vi)
        arrays |= {f"ir{number}": ir.numpy(), f"vi{number}": vi.numpy(), f"fused{number}": fused.numpy()}
    np.savez(f"{path}.npz", **arrays)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["refusion", "densefuse", "unet", "two_branch"])
def test_files_give_the_networks_images_at_three_sizes_without_metaloss(name, examples, tmp_path):
    for package in ("onnxruntime", "onnxscript", "timm"):
        pytest.importorskip(package)
    network = (metaloss.networks.ReFusionNet if name == "refusion" else examples[name])()
    for module in network.modules():  # statistics as of a training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    network.train()
    for suffix in (".onnx", ".pt2"):
        path = tmp_path / f"{name}{suffix}"
        written = metaloss.export(network, path, sources=("ir", "vi"))
        assert written.multiple == (4 if name in ("unet", "two_branch") else 1)
        assert written.deviation < 1e-5
        known_images(network.eval(), path)
        network.train()
    assert network.training
    done = run(CHECK, *(tmp_path / f"{name}{suffix}" for suffix in (".onnx", ".pt2")))
    assert (done.returncode, done.stdout) == (0, "checked 2\n"), done.stderr


def blocks(page):
    return [part.partition("```")[0] for part in page.split("```python\n")[1:]]


@pytest.mark.slow
def test_the_page_s_program_fuses_in_colour_without_metaloss(examples, tmp_path):
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    network = examples["unet"]().eval()
    metaloss.export(network, tmp_path / "fusion.onnx")
    noise = np.random.default_rng(0)
    Image.fromarray(noise.integers(0, 256, (50, 71), dtype=np.uint8)).save(tmp_path / "ir.png")
    Image.fromarray(noise.integers(100, 150, (50, 71, 3), dtype=np.uint8)).save(tmp_path / "vi.png")
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    [program] = [block for block in blocks(page) if "onnxruntime" in block]
    assert "metaloss" not in program
    done = run(program, folder=tmp_path)
    assert done.returncode == 0, done.stderr

    coloured = Image.open(tmp_path / "vi.png").convert("YCbCr")
    sources = [Image.open(tmp_path / "ir.png"), coloured.getchannel("Y")]
    tensors = [torch.from_numpy(np.asarray(image, np.float32) / 255)[None, None] for image in sources]
    padded = [nn.functional.pad(tensor, (0, 1, 0, 2), mode="replicate") for tensor in tensors]
    with torch.no_grad():
        luma = network(*padded)[0, 0, :50, :71].mul(255).round().numpy().astype(np.uint8)
    expected = Image.merge("YCbCr", (Image.fromarray(luma), *coloured.split()[1:])).convert("RGB")
    difference = np.asarray(Image.open(tmp_path / "fused.png"), int) - np.asarray(expected, int)
    assert abs(difference).max() <= 2, "but for rounding"


class Fixed(nn.Module):
    """Knows one size, as a position embedding does."""

    def __init__(self, height=32, width=48):
        super().__init__()
        self.place = nn.Parameter(torch.rand(1, 1, height, width))

    def forward(self, ir, vi):
        return (ir + vi) / 2 * self.place


def test_a_network_of_one_size(tmp_path):
    with pytest.raises(ConfigError, match=r"Fixed takes squares or one size alone: --size HxW .* exports it"):
        metaloss.export(Fixed(40, 40), tmp_path / "any.pt2")
    with pytest.raises(ShapeError):
        metaloss.export(nn.Flatten(), tmp_path / "any.pt2", sources=("a",))
    written = metaloss.export(Fixed(), tmp_path / "one.pt2", size=(32, 48))
    assert (written.size, written.sources) == ((32, 48), ("source_1", "source_2"))
    about = {exporting.METADATA: ""}
    program = torch.export.load(tmp_path / "one.pt2", extra_files=about).module()
    told = json.loads(about[exporting.METADATA])
    assert (told["size"], told["multiple"], json.loads(told["sources"])) == ("32x48", "1", ["source_1", "source_2"])
    assert told["metaloss_version"] == metaloss.__version__
    assert program(*torch.rand(2, 3, 1, 32, 48)).shape == (3, 1, 32, 48), "any batch"
    assert {path.name for path in tmp_path.iterdir()} == {"one.pt2"}


def test_a_stride_that_is_known_and_a_fourth_source(tmp_path):
    network = metaloss.Adapted(
        nn.Conv2d(4, 1, 3, padding=1), lambda net, *images: net(torch.cat(images, 1)), multiple=6
    )
    written = metaloss.export(network, tmp_path / "four.pt2", sources=("a", "b", "c", "d"))
    assert (written.multiple, network.multiple, written.sources) == (6, 6, ("a", "b", "c", "d"))
    assert all(side % 6 == 0 for shape in written.shapes for side in shape[1:])


class Counting(nn.Module):
    """Gives another image at each call, which no file can."""

    calls = 0

    def forward(self, ir, vi):
        self.calls += 1
        return (ir + vi) / (self.calls + 1)


class Deciding(nn.Module):
    """Looks at the values of an image."""

    def forward(self, ir, vi):
        return ir if bool(ir.mean() > 0.5) else vi


def test_nothing_is_written_where_the_file_would_give_another_image(tmp_path):
    with pytest.raises(
        ConfigError, match=r"x.pt2 was not written: on 1 image of 48x64 it differs from the network by "
    ):
        metaloss.export(Counting(), tmp_path / "x.pt2")
    with pytest.raises(ConfigError, match=r"Deciding cannot be exported for images of any size \(.*: --size HxW"):
        metaloss.export(Deciding(), tmp_path / "x.pt2")
    with pytest.raises(ConfigError, match=r"Deciding cannot be exported for 32x32 pixels \(.*: an operator of its own"):
        metaloss.export(Deciding(), tmp_path / "x.pt2", size=(32, 32))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (("ir", "ir"), "expected different names"),
        ("ir", "expected different names"),
        (("ir", "fused"), "none of them 'fused'"),
        ((), "expected different names"),
        ((1, 2), "expected different names"),
        (("ir", "vi", "pet"), "ReFusionNet was built for 2 sources"),
    ],
)
def test_names_of_the_sources(sources, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        metaloss.export(metaloss.networks.ReFusionNet(), tmp_path / "x.pt2", sources=sources)


class Three(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, *sources):
        return self.mix(torch.cat(sources, 1))


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".pth"])
def test_a_network_that_fails_or_gives_nan_is_said_in_one_line(suffix, tmp_path, capfd):
    for package in ("onnx", "onnxruntime", "onnxscript") if suffix == ".onnx" else ():
        pytest.importorskip(package)
    fails = r"Three, called with 2 sources of \d+x\d+, fails \(RuntimeError: .*sources=\('a', 'b', 'c'\)"
    with pytest.raises(ConfigError, match=fails):
        metaloss.export(Three(), tmp_path / f"x{suffix}")
    broken = Three()
    nn.init.constant_(broken.mix.weight, float("nan"))
    with pytest.raises(ConfigError, match=r"Three, called with 3 sources .* gives NaN"):
        metaloss.export(broken, tmp_path / f"x{suffix}", sources=("a", "b", "c"))
    if suffix != ".pth":
        with pytest.raises(ConfigError, match="Deciding"):
            metaloss.export(Deciding(), tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [(0, 4), (-1, 3), (3,), "20x30", (20.0, 30), 20])
def test_a_size_that_is_none(size, tmp_path):
    with pytest.raises(ConfigError, match="size"):
        metaloss.export(Three(), tmp_path / "x.pt2", sources=("a", "b", "c"), size=size)


def test_what_is_no_network(tmp_path):
    fuser = metaloss.Fuser(Three())
    for given, words in ((Three, "expected a network"), ("x.pth", "metaloss.load"), (fuser, "fuser.network")):
        with pytest.raises(ConfigError, match=words):
            metaloss.export(given, tmp_path / "x.pt2")


def test_kinds_of_files(tmp_path, monkeypatch):
    network = metaloss.networks.ReFusionNet()
    with pytest.raises(ConfigError, match=r"x.pt: expected a file whose name ends in .onnx, .pt2 or .pth"):
        metaloss.export(network, tmp_path / "x.pt")
    monkeypatch.setattr(exporting, "_PACKAGES", ("no_such_package",))
    with pytest.raises(PluginError, match=r"needs no_such_package, not installed: pip install 'metaloss\[export\]'"):
        metaloss.export(network, tmp_path / "x.onnx")
