"""The explorer on the loopback interface, in a process of its own, and Debian's Chromium on it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@contextmanager
def explorer(*arguments):
    """Runs `shiftsmooth app`; gives its address and its process, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "modelzoo.cli.main", "app", "--port", str(port), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    urlopen(url, timeout=5).close()
                    break
                except URLError:
                    assert process.poll() is None, process.stderr.read().decode()
                    time.sleep(0.1)
            yield url, process
        finally:
            process.terminate()


@contextmanager
def browser():
    """Gives Chromium, as playwright drives it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
