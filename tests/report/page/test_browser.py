"""The page in a browser: it opens, complains of nothing, asks for nothing, and its slider moves."""

import pytest

pytest.importorskip("plotly")

from plotly.offline import get_plotlyjs

from metaloss.report.page.build import build
from metaloss.report.page.run import read_run

SHOWN = "document.getElementById('epoch-shown').textContent"
FUSED = "document.querySelectorAll('img[data-frames]')[0]"


@pytest.mark.slow
def test_it_opens_and_the_slider_moves(leave, browser, tmp_path):
    runs = [read_run(leave(f"runs/{name}", done=done), name) for name, done in (("first", 4), ("<second>", 2))]
    page = tmp_path / "page.html"
    page.write_text(build(runs).html(get_plotlyjs()))
    browser.open(page)
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]
    charts = browser.ask("document.querySelectorAll('.plot').length")
    assert charts > 5
    assert (
        browser.ask("[...document.querySelectorAll('.plot')].filter(each => each.querySelector('svg')).length")
        == charts
    )
    assert browser.ask("[...document.images].every(each => each.complete && each.naturalWidth > 0)")

    assert browser.ask(SHOWN) == "after epoch 4"
    last = browser.ask(f"{FUSED}.src")
    assert browser.ask("document.body.textContent").count("(after epoch 2)") == 3  # of the run that has no epoch 4
    browser.ask("document.getElementById('epoch').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.ask(SHOWN) == "after epoch 3"
    assert browser.ask(f"{FUSED}.src") != last
    assert browser.ask(f"{FUSED}.alt").endswith("after epoch 3")
    browser.press("Home", 36)
    assert browser.ask(SHOWN) == "before the training"
    assert browser.ask("document.getElementById('epoch').getAttribute('aria-valuetext')") == "before the training"
    browser.press("End", 35)
    assert browser.ask(f"{FUSED}.src") == last

    browser.ask("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for width in (380, 1600):
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        assert (
            browser.ask("new Promise(done => setTimeout(() => done(document.documentElement.scrollWidth), 500))")
            <= width
        )
        assert browser.ask(
            "[...document.querySelectorAll('.plot')].every("
            "each => Math.abs(each.querySelector('.main-svg').getBoundingClientRect().width - each.clientWidth) < 2)"
        )
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]
