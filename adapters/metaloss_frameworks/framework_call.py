"""Calls of a framework's code: what it raises becomes one sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.autograd.forward_ad as fwd

from metaloss.errors import ConfigError, MetaLossError, ShapeError
from metaloss_frameworks.packages import missing_package

_LONGEST = 160  # characters of the framework's own words
# What torch says of derivatives, of its own transforms and of memory: who differentiates, or chooses a smaller
# batch, recognises torch's words.
_TORCHS_OWN = re.compile(
    r"forward[- ](mode )?AD|forward-mode|jvp|derivative for .+ is not implemented|double backward|differentiate twice"
    r"|inplace operation|in-place operation|backward through the graph|does not require grad|saved tensors?\b|functorch"
    r"|vmap|functional_call|out of memory|can't allocate memory|not enough memory|CUDA error|device-side assert",
    re.IGNORECASE,
)
# What networks say of an image that does not fit them: of its sides, and of the maps that are made of it.
_SIZES = re.compile(
    r"\bsizes?\b|\bshapes?\b|kernel|smaller than|too small|greater than|out of range|out of bounds|out of output bound"
    r"|more than 1 value per channel|non-zero|height|width|dimension|divisible|must match|empty|reshape|view",
    re.IGNORECASE,
)

# mmcv's words for an operator that it has for other devices alone
_NO_OPERATOR = re.compile(r"(\w+?)(?:_impl)?: implementation for device (\w+?)(?::\d+)? not found")
# batch norm over a single value: of one image, which is or was pooled to one pixel
_ONE_IMAGE = re.compile(r"more than 1 value per channel.*Size\(\[1, \d+, 1, 1\]\)")


@contextmanager
def framework_call(
    model: str,
    doing: str,
    *,
    image_size: tuple[int, int] | None = None,
    own_size: tuple[int, int] | None = None,
    advice: str = "choose another model, or correct this one's settings",
) -> Iterator[None]:
    """Turns what a framework raises inside the block into one error of metaloss.

    Errors of metaloss, warnings, torch's own about derivatives and exhausted memory pass through as they are; so does
    all that torch raises in forward mode, where some operators' rules fail with words about shapes: the same images
    went through without a derivative before.

    Args:
        model: what was called, as the user knows it: ``"config 'yolox/...py'"``.
        doing: what it was to do: ``"be built"``, ``"give a loss"``, ``"predict"``.
        image_size: (H, W) of the images given, where there are any.
        own_size: (H, W) of the images that the model was made for, where it is known.
        advice: the nearest fix where neither a package nor the image's size is the cause.

    Raises:
        ShapeError: the framework complains of a size, and images were given.
        ConfigError: it fails for any other reason; a missing package is named, with how to install it.
    """
    try:
        yield
    except (MetaLossError, Warning, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if isinstance(error, RuntimeError) and (_in_forward_mode() or _TORCHS_OWN.search(str(error))):
            raise
        raise _translated(error, model, doing, image_size, own_size, advice) from error


def _translated(
    error: Exception,
    model: str,
    doing: str,
    image_size: tuple[int, int] | None,
    own_size: tuple[int, int] | None,
    advice: str,
) -> MetaLossError:
    package = missing_package(error)
    if package is not None:
        return ConfigError(f"{model} cannot {doing} without a package that is not installed: pip install {package}")
    operator = _NO_OPERATOR.search(str(error))
    if operator is not None:
        nearest = "run it on a GPU" if operator[2] == "cpu" else "run it on another device"
        return ConfigError(
            f"{model} cannot {doing} on {operator[2]}, for which mmcv has no {operator[1]}: {nearest}, or {advice}"
        )
    words = own_words(error)
    if image_size is None:
        return ConfigError(f"{model} cannot {doing} ({words}): {advice}")
    given = f"{model} cannot {doing} with images of {_by(image_size)} pixels"
    made_for = f"; it was made for {_by(own_size)}" if own_size and own_size != image_size else ""
    about_size = not isinstance(error, (AttributeError, KeyError, NotImplementedError, ImportError))
    if about_size and image_size != own_size and (not str(error).strip() or _SIZES.search(str(error))):
        nearest = f"give images of {_by(own_size)}" if own_size else "give larger images"
        batch = ", or two or more in a batch" if _ONE_IMAGE.search(str(error)) else ""
        return ShapeError(f"{given}{made_for} ({words}): {nearest} (task_size in a config){batch}, or {advice}")
    return ConfigError(f"{given}{made_for} ({words}): {advice}")


def own_words(error: Exception) -> str:
    """A foreign error in short: its type and its first line.

    Args:
        error: of a framework, or of what it uses.

    Returns:
        One line of bounded length, without the paths that an import was looked for in.
    """
    text = re.split(r"[,;:(]?\s*(?:the current sys\.path|in location)", str(error).strip())[0]
    line = " ".join(text.strip().partition("\n")[0].split())
    if len(line) > _LONGEST:
        line = line[:_LONGEST].rsplit(" ", 1)[0] + " ..."
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _in_forward_mode() -> bool:
    return bool(fwd._current_level >= 0)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
