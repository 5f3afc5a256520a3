"""Get a Chromium for the tests of the report: one that is there, Debian's package, or Playwright's own download.

Where none can be had it says so, and the tests are skipped.
"""

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SECONDS = 300


def find_browser() -> str | None:
    """The path of a browser of the Chromium family."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def install_browser() -> bool:
    """Install one, as far as this user may."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        packages = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
        ways = [["apt-get", "update", "-qq"], packages, *ways]
    for words in ways:
        try:
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and words[1] != "update" and (find_browser() or "playwright" in words):
            return True
    return False


if __name__ == "__main__":
    if find_browser() or install_browser():
        sys.exit()
    print("No Chromium could be installed: the tests of the report in a browser will be skipped.")
