"""Find a Chromium for the browser tests, or, as root on Debian, fetch one.

python tests/chromium.py --fetch
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REASON = "no Chromium found: install Debian's `chromium`, or set NOUNFLOW_CHROMIUM to a browser's path"
# A function of an element: contrast of its text with what is behind it, as WCAG computes it.
CONTRAST = """element => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ink = light(getComputedStyle(element).color);
  let behind = element;
  while (/, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const paper = light(getComputedStyle(behind).backgroundColor);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}"""


def find() -> str | None:
    """Path of a Chromium, or None."""
    named = os.environ.get("NOUNFLOW_CHROMIUM")
    if named:
        return named if os.access(named, os.X_OK) else None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def fetch() -> None:
    """Install Debian's chromium where that is possible; say what happened."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"browser tests will be skipped: {REASON}")
        return
    print("fetching Debian's chromium for the browser tests (about 110 MB) ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"],
    ):
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            print(f"browser tests will be skipped: `{' '.join(command)}` failed")
            return


if __name__ == "__main__":
    if find() is None and "--fetch" in sys.argv:
        fetch()
    if find() is None and os.environ.get("NOUNFLOW_REQUIRE_BROWSER"):
        sys.exit(f"error: the browser tests are required here, but {REASON}")
