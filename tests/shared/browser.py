"""Chromium without a window, driven by the protocol of its driver (W3C WebDriver)."""

import base64
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import pytest

needs_chromium = pytest.mark.skipif(
    # Where tests must be complete, its absence is a failure.
    not (shutil.which("chromium") and shutil.which("chromedriver"))
    and os.environ.get("CI") != "true",
    reason="Chromium and chromedriver are not installed: make chromium",
)

# Root, which CI runs as, has no sandbox; containers have little shared memory.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Browser:
    """One tab."""

    def __init__(self, address, profile):
        self.address = address
        options = {"args": [*OPTIONS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("session", {"capabilities": {"alwaysMatch": wanted}})
        self.address = f"{address}/session/{made['sessionId']}"

    def _ask(self, path, values=None, method="POST"):
        body = None if method != "POST" else json.dumps(values or {}).encode()
        address = f"{self.address}/{path}".rstrip("/")
        request = urllib.request.Request(address, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(f"{path}: {error.read().decode()}") from error

    def open(self, path):
        """Open a file, and return when it is loaded."""
        self._ask("url", {"url": path.absolute().as_uri()})

    def run(self, script):
        """Run the body of a function in the page; return what it returns, promises awaited."""
        return self._ask("execute/sync", {"script": script, "args": []})

    def console(self):
        """What the page said on its console since this was last asked."""
        return [line["message"] for line in self._ask("se/log", {"type": "browser"})]

    def screenshot(self):
        """A picture of what is seen, as PNG."""
        return base64.b64decode(self._ask("screenshot", method="GET"))

    def screen(self, width, height):
        """Have a screen of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._command("Emulation.setDeviceMetricsOverride", size)

    def scheme(self, name):
        """Prefer dark or light."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._command("Emulation.setEmulatedMedia", {"features": features})

    def _command(self, name, values):
        self._ask("goog/cdp/execute", {"cmd": name, "params": values})

    def close(self):
        self._ask("", method="DELETE")


@contextmanager
def browser(folder):
    """A browser whose files lie below a folder; nothing of it is left running."""
    environment = os.environ | {"TMPDIR": str(folder), "HOME": str(folder)}
    command = ["chromedriver", "--port=0", f"--log-path={folder / 'driver.log'}"]
    # A group of its own: a driver that ends early leaves its browser behind.
    driver = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, process_group=0, env=environment
    )
    try:
        said = next(line for line in driver.stdout if "started successfully on port" in line)
        number = said.strip().rstrip(".").split()[-1]
        tab = Browser(f"http://127.0.0.1:{number}", folder / "profile")
        try:
            yield tab
        finally:
            tab.close()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGTERM)
        driver.wait()
        driver.stdout.close()
