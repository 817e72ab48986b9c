"""From a run's folder to ``report.html``: one file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from eval.records.whole import whole
from eval.report import plots
from eval.report.blocks import Section
from eval.report.board import board_section
from eval.report.cost import cost_section
from eval.report.origin import left_out_section, origin_section
from eval.report.probes import calibration_section, probes_section
from eval.report.queries import cases_section, gains_section
from eval.report.shown import ShownRun, read_run
from eval.report.strata import strata_section
from eval.report.verdict import SIGNS, TITLES, gist, verdict_section

REPORT = "report.html"
_TONES = {"passed": "good", "failed": "bad", "incomplete": ""}
_SECTIONS = (
    verdict_section,
    board_section,
    strata_section,
    gains_section,
    cases_section,
    probes_section,
    calibration_section,
    cost_section,
    left_out_section,
    origin_section,
)


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into the run's folder, whole or not at all; returns its path.

    Args:
        folder: of a finished prompt run: record.json and the three Parquet files.

    Raises:
        NotFound: a file of the run is missing.
        InvalidInput: one cannot be read, or the run is none of prompts.
    """
    run = read_run(folder)
    page = render(run, [section(run) for section in _SECTIONS])
    path = folder / REPORT
    with whole(path) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return path


def render(run: ShownRun, sections: list[Section]) -> str:
    """The page as text. All that comes from data is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    library, script = plots.library(), _file("page.js")
    record = run.record
    return environment.from_string(_file("page.html.j2")).render(
        name=record.name,
        run_id=record.id,
        at=record.at[:16].replace("T", " "),
        verdict=TITLES[record.verdict],
        sign=SIGNS[record.verdict],
        tone=_TONES[record.verdict],
        because=record.verdict_because,
        gist=gist(run),
        sections=sections,
        policy=_policy(library, script),
        style=Markup(_file("page.css")),
        library=Markup(library),
        script=Markup(script),
    )


def breakable(text: str) -> Markup:
    """The text, escaped, with places where a long name may break."""
    broken = str(escape(text))
    for sign in "|~@/":
        broken = broken.replace(sign, f"{sign}<wbr>")
    return Markup(broken)


def _policy(*scripts: str) -> str:
    """Only these scripts run, and nothing is loaded: what a text smuggles in stays text."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _file(name: str) -> str:
    return resources.files("eval.report").joinpath(name).read_text(encoding="utf-8")
