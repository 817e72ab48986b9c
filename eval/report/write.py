"""From a run's folder to ``report.html``: one file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
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
WORDS = (
    (
        "query",
        "one person, maybe with a wish in words, and items to order; some of them are "
        "relevant: what the person took next",
    ),
    ("S", "the score without a language model; its order is what every system is compared with"),
    (
        "variant",
        "one prompt for a language model that reorders the best items of S; written "
        "variant|model|seed",
    ),
    (
        "control",
        "something that a useful variant must beat: random order, popularity, the same "
        "variant shown another person (~shuffled)",
    ),
    ("NDCG@10", "1 when the relevant items stand first, 0 when none is among the first ten"),
    ("Δ", "a difference to S on the same queries"),
    ("log-odds", "how much more probable “yes” was than “no” to the model: 0 is undecided"),
    ("–", "nothing was measured; this is never a zero"),
)
"""What the words of a page on prompts mean."""
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


def render(run: ShownRun, sections: Sequence[Section]) -> str:
    """The page of a run of prompts, as text."""
    record = run.record
    return page(
        sections,
        over="Evaluation of prompts",
        name=record.name,
        run_id=record.id,
        at=record.at,
        verdict=TITLES[record.verdict],
        sign=SIGNS[record.verdict],
        tone=_TONES[record.verdict],
        because=record.verdict_because,
        gist=gist(run),
        words=WORDS,
    )


def page(
    sections: Sequence[Section],
    *,
    over: str,
    name: str,
    run_id: str,
    at: str,
    verdict: str,
    sign: str,
    tone: str,
    because: str,
    gist: str,
    words: Sequence[tuple[str, str]],
) -> str:
    """A page of sections as text. All that comes from data is escaped.

    Args:
        sections: in their order.
        over: what kind of page it is.
        name: the heading.
        run_id: of the run.
        at: when it was made, ISO 8601.
        verdict: one word for the outcome.
        sign: the same as one character.
        tone: "good", "bad" or "".
        because: why that is the outcome.
        gist: what came out, in a sentence or two; "" for none.
        words: what the words of the page mean.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    library, script = plots.library(), _file("page.js")
    return environment.from_string(_file("page.html.j2")).render(
        over=over,
        name=name,
        run_id=run_id,
        at=at[:16].replace("T", " "),
        verdict=verdict,
        sign=sign,
        tone=tone,
        because=because,
        gist=gist,
        words=words,
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
