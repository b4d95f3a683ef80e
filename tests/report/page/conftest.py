"""Folders as trainings leave them, and a browser without a window."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from run_folders import CONFIG, draw_strip, trained, validation


@pytest.fixture
def leave(tmp_path):
    """Leaves a run's folder as a training by config does."""

    def run(name="runs/mine", epochs=4, done=4, start="20260101_120000", first=0, lr=0.001, scene="night", **options):
        folder = tmp_path / name
        data = folder / start / "vis_data"
        data.mkdir(parents=True)
        lines = validation(0) if first == 0 else []
        for epoch in range(max(first, 1), done + 1):
            lines += [*trained(epoch), *validation(epoch, **options)]
        (data / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (data / "config.py").write_text(CONFIG.format(epochs=epochs, lr=lr, folder=folder))
        for epoch in range(first, done + 1):
            draw_strip(data / "vis_image" / f"val_{scene}_{epoch}.png", epoch)
        return folder

    return run


class Browser:
    """Chromium without a window, spoken to over a pipe by its own protocol."""

    def __init__(self, program, profile):
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()
        theirs = [fcntl.fcntl(place, fcntl.F_DUPFD, 20) for place in (to_browser, from_browser)]

        def arrange():
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        piped = ["--remote-debugging-pipe", "about:blank"]
        quiet = ("gpu", "quic", "sync", "background-networking", "component-update")
        options = ["--no-sandbox", "--no-first-run", *(f"--disable-{part}" for part in quiet)]
        self._process = subprocess.Popen(
            [program, "--headless", *options, f"--user-data-dir={profile}", *piped],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=arrange,
            pass_fds=(3, 4, *theirs),
        )
        for place in (to_browser, from_browser, *theirs):
            os.close(place)
        self._number, self._rest, self.events, self._session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{part}.enable")

    def _read(self, deadline):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(deadline - time.monotonic(), 0))
            part = os.read(self._from, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("the browser does not answer")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        """Asks the browser; gives its answer, and keeps what it says meanwhile."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 120
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, page):
        """Loads a page, to its end."""
        self.call("Page.navigate", url=Path(page).as_uri())
        deadline = time.monotonic() + 120
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read(deadline))

    def ask(self, expression):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key, code):
        """Presses a key, as a person does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    @property
    def complaints(self):
        """Errors and warnings in the console."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(params["args"])
        return found

    @property
    def requests(self):
        """The addresses that the page has asked for, but for what is written in itself."""
        asked = [event["params"]["request"]["url"] for event in self.events if _is_request(event)]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def close(self):
        """Ends it."""
        with contextlib.suppress(TimeoutError, OSError):
            self._session = None
            self.call("Browser.close")
        self._process.terminate()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)


def _is_request(event):
    return event.get("method") == "Network.requestWillBeSent"


@pytest.fixture
def browser(tmp_path):
    """A browser, where there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None or os.name != "posix":
        pytest.skip(f"no browser to open pages with: none of {', '.join(names)} is on the path")
    opened = Browser(program, tmp_path / "profile")
    yield opened
    opened.close()
