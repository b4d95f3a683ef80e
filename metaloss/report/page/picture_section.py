"""The section of a page with the pictures, and the slider that leads them through the epochs."""

from __future__ import annotations

from metaloss.report.page.curves import Curves
from metaloss.report.page.document import Document, text
from metaloss.report.page.frames import panels_of, thinned
from metaloss.report.page.run import Run

_VIRIDIS = "#440154, #472d7b, #3b528b, #2c728e, #21918c, #28ae80, #5ec962, #addc30, #fde725"


def add_pictures(page: Document, curves: Curves) -> None:
    """Adds it: of each scene a row per run, of sources, fused image and weight maps."""
    runs = [run for run in curves.runs if run.pictures]
    page.section(
        "pictures",
        "Pictures through the epochs",
        "Sources, fused image and weight maps of the first validation scenes; the slider takes the arrow keys, too.",
    )
    if not runs:
        page.add("<p>None were kept.</p>")
        return
    page.epochs = thinned(epoch for run in runs for strips in run.pictures.values() for epoch in strips)
    last = len(page.epochs) - 1
    page.add(
        '<div class="slider"><label for="epoch">Epoch</label>'
        f'<input type="range" id="epoch" min="0" max="{last}" step="1" value="{last}">'
        '<output id="epoch-shown" for="epoch" aria-live="polite"></output>'
        f'<span class="scale">weight 0 <i style="background:linear-gradient(to right, {_VIRIDIS})"></i> 1</span></div>'
    )
    for scene in dict.fromkeys(scene for run in runs for scene in run.pictures):
        page.add(f"<h3>{text(scene)}</h3>")
        for run in runs:
            if scene in run.pictures:
                _strip(page, curves, run, scene)


def _strip(page: Document, curves: Curves, run: Run, scene: str) -> None:
    try:
        panels = panels_of(run.pictures[scene], page.epochs, run.sources)
    except ValueError as error:
        page.add(f'<p class="notes">{text(run.name)}: {text(error)}</p>')
        return
    if len(curves.runs) > 1:
        page.add(f'<p class="of-run">{text(run.name)}</p>')
    page.add(f'<div class="strip" style="grid-template-columns:repeat({len(panels)}, minmax(110px, 1fr))">')
    for panel in panels:
        colour = "transparent" if panel.source is None else curves.source_colour(run.sources[panel.source])
        alt = f"{panel.title}, scene {scene}" + (f", run {run.name}" if len(curves.runs) > 1 else "")
        place = f"frame-{len(page.frames)}"
        moving = f' data-frames="{place}" data-alt="{text(alt)}"' if len(panel.frames) > 1 else ""
        if moving:
            page.frames[place] = panel.frames
        page.add(
            f'<figure><img src="{panel.frames[max(panel.frames)]}" alt="{text(alt)}"{moving}>'
            f'<figcaption style="border-color:{colour}">{text(panel.title)}<span class="when"></span></figcaption>'
            "</figure>"
        )
    page.add("</div>")
