"""What frameworks raise, as one sentence that says what to do."""

import importlib

import pytest
import torch
from torch import nn

from metaloss.errors import ConfigError, DataError, MetaLossError, ShapeError

framework_call = importlib.import_module("metaloss_frameworks.framework_call").framework_call


def said(action, **known):
    with pytest.raises(MetaLossError) as caught, framework_call("config 'a.py'", "give a loss", **known):
        action()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return caught.value


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    "action",
    [
        lambda: nn.Conv2d(1, 1, 9)(torch.rand(1, 1, 4, 4)),
        lambda: torch.rand(1, 3).topk(5),
        lambda: torch.rand(1, 17, 2) + torch.rand(1, 5, 2),
        lambda: nn.BatchNorm2d(2)(torch.rand(1, 2, 1, 1)),
        lambda: torch.rand(2, 6).reshape(5, 5),
        raising(AssertionError()),
    ],
)
def test_a_size_that_does_not_fit(action):
    error = said(action, image_size=(64, 96), own_size=(320, 300))
    assert isinstance(error, ShapeError)
    assert "config 'a.py' cannot give a loss with images of 64x96 pixels; it was made for 320x300 (" in str(error)
    assert "give images of 320x300 (task_size in a config)" in str(error)
    assert "give larger images (task_size" in str(said(action, image_size=(64, 96)))
    own = said(action, image_size=(320, 300), own_size=(320, 300), advice="choose another")
    assert isinstance(own, ConfigError)
    assert str(own).endswith("): choose another")


def test_what_is_no_matter_of_size():
    error = said(raising(KeyError("border")), image_size=(64, 96), advice="choose another")
    assert isinstance(error, ConfigError)
    assert str(error).endswith("with images of 64x96 pixels (KeyError: 'border'): choose another")
    assert str(said(raising(TypeError("a" * 900 + "\nmore")))).count("a" * 900) == 0


@pytest.mark.parametrize(
    ("error", "package"),
    [
        (ModuleNotFoundError("No module named 'absent_pkg.part'", name="absent_pkg.part"), "absent_pkg"),
        (RuntimeError("absent is not installed,      please install it by: pip install absent-pkg"), "absent-pkg"),
        (NotImplementedError("To save memory, install it by the \n  command: pip install absent."), "absent"),
        (ImportError("No module named 'sklearnless'"), "sklearnless"),
    ],
)
def test_a_missing_package_is_named(error, package):
    assert str(said(raising(error))) == (
        f"config 'a.py' cannot give a loss without a package that is not installed: pip install {package}"
    )


def test_where_an_import_was_looked_for_is_left_out():
    def action():
        try:
            importlib.import_module("absent_pkg.models")
        except ModuleNotFoundError as error:
            raise ImportError("Failed to import absent_pkg, the current sys.path is: \n /a\n /b") from error

    assert str(said(action)).endswith("pip install absent_pkg")
    words = str(said(raising(ImportError("Failed to import torch, the current sys.path is: \n /a"))))
    assert "(ImportError: Failed to import torch)" in words


class Once(torch.autograd.Function):
    @staticmethod
    def forward(context, value):
        return value * 2

    @staticmethod
    def backward(context, gradient):
        return gradient * 2


def forward_mode():
    torch.func.jvp(Once.apply, (torch.rand(2),), (torch.rand(2),))


def changed_in_place():
    value = torch.rand(2, requires_grad=True)
    result = value.exp()
    kept = result * 1
    result.mul_(2)
    kept.sum().backward()


@pytest.mark.parametrize(
    "action",
    [
        forward_mode,
        changed_in_place,
        raising(RuntimeError("derivative for aten::x is not implemented")),
        raising(torch.OutOfMemoryError("CUDA out of memory")),
        raising(RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")),
        raising(DataError("as it is")),
        raising(UserWarning("as it is")),
        raising(KeyboardInterrupt()),
        raising(SystemExit()),
    ],
)
def test_what_passes_through(action):
    with pytest.raises(BaseException) as plain:  # noqa: PT011
        action()
    with pytest.raises(type(plain.value)) as caught, framework_call("config 'a.py'", "give a loss", image_size=(1, 1)):
        action()
    assert str(caught.value) == str(plain.value)


def test_what_passes_through_in_forward_mode():
    """Group norm's rule refuses channels last with words about a view's size; the engine chooses another method."""
    norm = nn.GroupNorm(2, 4)

    def called(image):
        with framework_call("model 'a'", "give features", image_size=(6, 6), own_size=(8, 8)):
            return norm(image)

    image = torch.rand(2, 4, 6, 6).to(memory_format=torch.channels_last)
    called(image)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        torch.func.jvp(called, (image,), (image,))
    with pytest.raises(ShapeError, match="give images of 8x8"):
        called(torch.rand(2, 3, 6, 6))
