"""The page in a real browser, where there is one: its plots are drawn and nothing complains."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eval.report.write import REPORT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which(
    "google-chrome"
)  # fmt: skip
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's DOM after its scripts, and what they wrote to the console."""
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            f"--user-data-dir={profile}", "--virtual-time-budget=30000",
            "--enable-logging=stderr", "--dump-dom", page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]


def test_every_plot_is_drawn_and_the_console_stays_empty(rich: Path, tmp_path: Path) -> None:
    dom, console = opened(rich / REPORT, tmp_path)
    assert console == []
    assert re.search(r"<html[^>]*data-drawn=\"yes\"", dom)
    # On screen the plots of the chosen variant, for paper every one.
    assert len(re.findall(r"class=\"canvas[^>]*data-drawn=\"yes\"", dom)) == 10
    assert len(re.findall(r"<img class=\"paper\"[^>]*src=\"data:image/svg", dom)) == 12


def test_hostile_text_runs_nothing(hostile: Path, tmp_path: Path) -> None:
    dom, console = opened(hostile / REPORT, tmp_path)
    assert console == []
    assert re.search(r"<html[^>]*data-drawn=\"yes\"", dom)
    assert '<img src="x"' not in dom
