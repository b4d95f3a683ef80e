"""The registration of metrics: written once, each is a function, a row of a table, a class and a line of the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, overload

import torch
from torch import Tensor, nn

from metaloss.errors import ConfigError, nearest
from metaloss.metrics.conventions import CONVENTIONS, Convention, get_convention
from metaloss.metrics.docstring import public_docstring, summary
from metaloss.metrics.images import Images, check_number, split

Compute: TypeAlias = Callable[[Images, Convention], Tensor]
Side: TypeAlias = int | Callable[[Convention], int]


class MetricOfFused(Protocol):
    """A metric of the fused image alone."""

    def __call__(self, fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
        """Measures each image."""
        ...


class MetricWithSources(Protocol):
    """A metric that compares with the sources."""

    def __call__(self, fused: Tensor, sources: Sequence[Tensor], *, convention: str = "tdfusion") -> Tensor:
        """Measures each image."""
        ...


class MetricWithNetwork(Protocol):
    """A metric that compares with the sources by a network."""

    def __call__(
        self, fused: Tensor, sources: Sequence[Tensor], *, network: nn.Module, convention: str = "tdfusion"
    ) -> Tensor:
        """Measures each image."""
        ...


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """What there is to know about one metric.

    Attributes:
        name: its short name, as in tables.
        title: its name in words.
        class_name: of its torchmetrics class in ``metaloss.metrics``.
        function: the public function, ``(fused[, sources], *, convention)``.
        compute: the same on checked images, which may share intermediates.
        higher_is_better: the direction.
        optional: left out unless asked for by name.
        needs_sources: the fused image alone is not enough.
        needs_network: it takes a network, from :func:`~metaloss.metrics.load_lpips`.
        differentiable: has a useful gradient.
        side: the smallest height and width in pixels, by a convention.
        joins_bands: where bands of colour are measured, they are laid side by side and measured as one image.
    """

    name: str
    title: str
    class_name: str
    function: Callable[..., Tensor]
    compute: Callable[..., Tensor]
    higher_is_better: bool = True
    optional: bool = False
    needs_sources: bool = True
    needs_network: bool = False
    differentiable: bool = True
    side: Callable[[Convention], int] = lambda rules: 1
    joins_bands: bool = False

    @property
    def min_side(self) -> int:
        """The smallest height and width in pixels that will do by every convention."""
        return max(map(self.side, CONVENTIONS.values()))

    @property
    def direction(self) -> Literal["up", "down"]:
        """``"up"`` where higher is better, else ``"down"``."""
        return "up" if self.higher_is_better else "down"

    @property
    def arrow(self) -> str:
        """The direction as tables for people show it."""
        return "↑" if self.higher_is_better else "↓"

    @property
    def summary(self) -> str:
        """What it is, in a few words: the first line of its docstring."""
        return summary(str(self.function.__doc__))

    def measure(self, images: Images, rules: Convention, **options: Any) -> Tensor:
        """Measures checked images, colour by the convention.

        Args:
            images: B of them.
            rules: the convention.
            options: ``network``, for a metric that needs one.

        Returns:
            Of shape (B,).

        Raises:
            ShapeError: the images are too small.
        """
        images.require_side(self.side(rules), self.name)
        if self.joins_bands:
            return self.compute(images.joined, rules, **options)
        values = self.compute(images, rules, **options)
        return values if images.bands == 1 else values.view(-1, images.bands).mean(1)


METRICS: dict[str, MetricInfo] = {}
"""All metrics by their short names, in the order of tables: that in which ``metaloss.metrics`` imports them."""


@overload
def fusion_metric(
    name: str,
    *,
    title: str,
    cls: str,
    needs_sources: Literal[False],
    min_side: Side = ...,
    higher_is_better: bool = ...,
    differentiable: bool = ...,
    optional: bool = ...,
    joins_bands: bool = ...,
) -> Callable[[Compute], MetricOfFused]: ...


@overload
def fusion_metric(
    name: str,
    *,
    title: str,
    cls: str,
    needs_network: Literal[True],
    min_side: Side = ...,
    higher_is_better: bool = ...,
    differentiable: bool = ...,
    optional: bool = ...,
) -> Callable[[Callable[..., Tensor]], MetricWithNetwork]: ...


@overload
def fusion_metric(
    name: str,
    *,
    title: str,
    cls: str,
    min_side: Side = ...,
    higher_is_better: bool = ...,
    differentiable: bool = ...,
    optional: bool = ...,
) -> Callable[[Compute], MetricWithSources]: ...


def fusion_metric(
    name: str,
    *,
    title: str,
    cls: str,
    needs_sources: bool = True,
    needs_network: bool = False,
    min_side: Side = 1,
    higher_is_better: bool = True,
    differentiable: bool = True,
    optional: bool = False,
    joins_bands: bool = False,
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Registers a metric, and makes its public function.

    The function below it takes checked :class:`~metaloss.metrics.images.Images` and a
    :class:`~metaloss.metrics.Convention` (and ``network=``, where it needs one), and gives one value per image. Its
    docstring is the public one but for what all have in common, see :mod:`metaloss.metrics.docstring`.

    Args:
        name: the short name, as in tables.
        title: the name in words.
        cls: the name of the torchmetrics class.
        needs_sources: whether it compares with the sources.
        needs_network: whether it takes a network.
        min_side: the smallest height and width in pixels; a function of the convention where they differ.
        higher_is_better: the direction.
        differentiable: whether it has a useful gradient.
        optional: whether it is left out unless asked for by name.
        joins_bands: whether bands of colour are laid side by side and measured as one image.

    Returns:
        The decorator, which gives the public function: ``(fused, *, convention)``, ``(fused, sources, *, convention)``
        or ``(fused, sources, *, network, convention)``.

    Raises:
        ConfigError: there is a metric of that name.
    """
    if name in METRICS:
        raise ConfigError(f"metric {name!r} is registered already: choose another name")
    side = min_side if callable(min_side) else lambda rules: min_side
    sides = [side(rules) for rules in CONVENTIONS.values()]

    def register(compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def run(fused: Tensor, sources: Sequence[Tensor], convention: str, **options: Any) -> Tensor:
            rules = get_convention(convention)
            parts = split(fused, sources, colour=rules.colour)
            return torch.cat([info.measure(images, rules, **options) for images in parts])

        def of_fused(fused: Tensor, *, convention: str = "tdfusion") -> Tensor:
            return run(fused, (), convention)

        def with_sources(fused: Tensor, sources: Sequence[Tensor], *, convention: str = "tdfusion") -> Tensor:
            check_number(sources)
            return run(fused, sources, convention)

        def with_network(
            fused: Tensor, sources: Sequence[Tensor], *, network: nn.Module, convention: str = "tdfusion"
        ) -> Tensor:
            check_number(sources)
            return run(fused, sources, convention, network=network)

        function = with_network if needs_network else with_sources if needs_sources else of_fused
        function.__name__, function.__qualname__ = compute.__name__, compute.__qualname__
        function.__module__ = compute.__module__
        function.__doc__ = public_docstring(
            str(compute.__doc__), needs_sources=needs_sources, needs_network=needs_network, sides=sides
        )
        info = METRICS[name] = MetricInfo(
            name=name,
            title=title,
            class_name=cls,
            function=function,
            compute=compute,
            higher_is_better=higher_is_better,
            optional=optional,
            needs_sources=needs_sources,
            needs_network=needs_network,
            differentiable=differentiable,
            side=side,
            joins_bands=joins_bands,
        )
        return function

    return register


def metric_info(name: str) -> MetricInfo:
    """Looks a metric up.

    Args:
        name: one of :data:`METRICS`.

    Returns:
        What there is to know about it.

    Raises:
        ConfigError: there is no such metric.
    """
    if name not in METRICS:
        raise ConfigError(f"metric {name!r} is not known: choose from {list(METRICS)}{nearest(name, METRICS)}")
    return METRICS[name]


def select(metrics: Iterable[str] | None, *, network: bool) -> list[MetricInfo]:
    """The metrics asked for by name, or all that are not optional.

    Args:
        metrics: short names, or ``None``.
        network: whether there is a network for those that need one.

    Returns:
        In the order given.

    Raises:
        ConfigError: an unknown name, or a metric without the network that it needs.
    """
    if metrics is None:
        return [info for info in METRICS.values() if not info.optional]
    chosen = [metric_info(name) for name in metrics]
    for info in chosen:
        if info.needs_network and not network:
            raise ConfigError(
                f"{info.name} needs a network: give the one that metaloss.metrics.load_lpips(path) makes from a "
                f"local weight file, or leave {info.name} out"
            )
    return chosen
