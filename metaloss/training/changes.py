"""What a resumed run would do otherwise than the run that it goes on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from metaloss.data.fingerprints import USUAL, fingerprint
from metaloss.errors import CheckpointError
from metaloss.networks.spec import describe_generator
from metaloss.training.parts import PARTS
from metaloss.training.schedule import Schedule
from metaloss.training.trained import Trained

_ALWAYS = {"schedule": "phases", "loss.generator.level": False}  # what checkpoints that do not say it were written with


def run_of(learner: Trained, schedule: Schedule) -> dict[str, dict[str, Any]]:
    """Describes a run: what its result depends on, but for the networks, and for how long it trains.

    Returns:
        ``settings``, of the learner and of the schedule, and ``data``, the fingerprint of what it is trained on.
    """
    episodes = schedule.episodes
    settings = {
        **learner.settings,
        **{f"loss.{name}": value for name, value in getattr(learner.loss, "settings", {}).items()},
        **_generator(learner),
        **_optimizers(learner),
        "batch_size": episodes.whole_batch_size,
        "meta_steps": episodes.meta_steps,
        "warmup_epochs": schedule.warmup_epochs,
        "schedule": schedule.order,
        "fusion_crop": _plain(episodes.fusion_crop),
        "task_size": _plain(episodes.task_size),
        "exchange": episodes.exchange,
        "seed": episodes.seed,
    }
    return {"settings": settings, "data": fingerprint(episodes.dataset)}


def changes(saved: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lists what differs between a checkpoint's run and this one.

    Args:
        saved: the checkpoint's own part, with ``settings`` and ``data``.
        now: what :func:`run_of` gave.

    Returns:
        One entry each, ``"batch_size: 2, now 4"``; what only one of them knows is left out.
    """
    found = []
    for part, words in (("settings", ""), ("data", "the data's ")):
        before = saved.get(part)
        if not isinstance(before, Mapping):
            continue
        if part == "settings" and before:
            before = {**{name: value for name, value in _ALWAYS.items() if name in now[part]}, **before}
        own = now[part]
        if part == "data":
            usual = {name: value for name, value in USUAL.items() if name in {*before, *own}}
            before, own = {**usual, **before}, {**usual, **own}
        for name, value in own.items():
            if name in before and before[name] != value:
                shown = "others" if name in ("names", "files", "boxes") else f"{before[name]}, now {value}"
                found.append(f"{words}{name}: {shown}")
    return found


def check_changes(
    content: Mapping[str, Any],
    now: Mapping[str, Mapping[str, Any]],
    *,
    allow: bool,
    option: str,
    say: Callable[[str], Any] | None = None,
) -> bool:
    """Refuses to go on with a run whose data or settings are others, unless that is allowed.

    Args:
        content: of the checkpoint.
        now: what :func:`run_of` gave.
        allow: go on all the same.
        option: how its user allows it.
        say: where allowed changes are said; ``None``: nowhere.

    Returns:
        Whether there are any.

    Raises:
        CheckpointError: there are, and they are not allowed.
    """
    found = changes(content.get("metaloss") or {}, now)
    if found and not allow:
        raise CheckpointError(
            f"it belongs to a run with other data or settings ({'; '.join(found)}): go on with those, or allow the "
            f"changes ({option}), or begin a new run in another folder"
        )
    if found and say is not None:
        say(f"changed since the checkpoint: {'; '.join(found)}")
    return bool(found)


def _generator(learner: Trained) -> dict[str, Any]:
    """What the loss generator was built with and its weights do not tell."""
    arguments = (describe_generator(learner.loss) or {}).get("arguments")
    given = arguments.items() if isinstance(arguments, Mapping) else ()
    return {f"loss.generator.{name}": value for name, value in given if isinstance(value, (bool, int, float, str))}


def _optimizers(learner: Trained) -> dict[str, Any]:
    """The kinds and the options of the optimizers; what their groups have of their own is in their states."""
    found: dict[str, Any] = {}
    for name in PARTS:
        if learner.trains(name):
            optimizer: Any = learner.optimizer(name)
            optimizer = getattr(optimizer, "optimizer", optimizer)  # MMEngine's wrappers keep it inside
            found[f"{name}_optimizer"] = type(optimizer).__name__
            for option, value in getattr(optimizer, "defaults", {}).items():
                if isinstance(value, (int, float, str, tuple)):
                    found[f"{name}_optimizer.{option}"] = list(value) if isinstance(value, tuple) else value
    return found


def _plain(size: tuple[int, int] | None) -> list[int] | None:
    return None if size is None else list(size)
