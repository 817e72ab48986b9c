"""The made-up run and its report, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.report.write import write_report
from tests.eval.report.page import Page, read_page
from tests.eval.report.rich_run import Shape, write_rich_run

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with everything in it, its report included."""
    folder = write_rich_run(tmp_path_factory.mktemp("runs") / "20260304T093000-wine-prompts")
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def page(rich: Path) -> Page:
    return read_page((rich / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose texts and names would like to be part of the page."""
    shape = Shape(queries=6, items=4, wish=HOSTILE, card=HOSTILE, name=HOSTILE)
    folder = write_rich_run(tmp_path_factory.mktemp("runs") / "hostile", shape)
    write_report(folder)
    return folder
