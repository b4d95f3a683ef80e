"""A progress bar with ETA where a person is looking, silence elsewhere."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str], None]


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Advance]:
    """Shows a bar on stderr while the block runs, if stderr is a terminal and Rich is installed.

    Args:
        label: what is being done.
        total: how many steps it takes.

    Yields:
        A function to call after each step, with a note to show behind the bar.
    """
    before = random.getstate()
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Eta
    except ImportError:
        yield lambda note: None
        return
    finally:
        random.setstate(before)  # Rich draws when it is imported
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        Eta(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), speed_estimate_period=120) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda note: bar.update(task, advance=1, note=note)
