"""``palate eval extract``: what versions of the prompt ``extract`` get out of real texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from agent.progress import ConsoleProgress
from eval.cli_run import COULD_NOT_RUN, Tokens
from retrieval.errors import InvalidInput

if TYPE_CHECKING:
    from eval.probes.extraction import ExtractionFigures

_SHARES = ("malformed_share", "verbatim_share", "surviving_share")


def register(app: typer.Typer) -> None:
    """Add the command to ``palate eval``."""
    app.command(
        epilog="Examples: `palate eval extract demo/shop extract@1 --limit 20`, "
        "`palate eval extract demo/shop extract@1 extract@2 --out both.json`. "
        "Exit codes: 0 done, 2 bad input or a budget that was spent first, 6 no language model."
    )(extract)


def extract(
    data: Annotated[Path, typer.Argument(help="Data-set folder; its reviews are read.")],
    references: Annotated[list[str], typer.Argument(help="Versions, such as extract@1.")],
    limit: Annotated[int, typer.Option(min=1, help="Reviews, a seeded sample.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    model: Annotated[str, typer.Option(help="As llm.model; default as in the settings.")] = "auto",
    budget: Tokens = None,
    runs: Annotated[Path, typer.Option(help="Answers are recorded under it.")] = Path("runs"),
    out: Annotated[Path | None, typer.Option(help="JSON file with a row a text.")] = None,
) -> None:
    """Read reviews with one or more versions and count what production would believe.

    Shares: malformed lines; quotes that are in the text; believed lines that repeat an
    instruction. Nothing is written into a home.
    """
    # Here and not above: every palate --help loads this file, and these take a second.
    from eval.answers.lane import Budget, BudgetSpent
    from eval.answers.opened import open_lane, prompt_named
    from eval.probes.extraction import evaluate_extraction, review_texts
    from eval.prompt_config import ModelConfig
    from eval.records.whole import write_json

    prompts = {name: prompt_named(name) for name in references}
    for name, find in prompts.items():
        if (kind := find("en").output) != "lines":
            raise InvalidInput(
                f"{name} gives a {kind}, not the lines of an extraction",
                "see them with: palate prompts list",
            )
    texts = review_texts(data, limit, seed)
    found: dict[str, ExtractionFigures] = {}
    console = Console(highlight=False)
    try:
        with (
            ConsoleProgress() as progress,
            open_lane(ModelConfig(name="m", model=model), runs, Budget(budget), progress) as lane,
        ):
            for name, prompt_for in prompts.items():
                progress.start(f"read with {name}", len(texts))
                found[name] = evaluate_extraction(lane, prompt_for, texts, progress=progress)
    except BudgetSpent as end:
        console.print(f"incomplete: {end}", markup=False)
        raise typer.Exit(COULD_NOT_RUN) from end
    console.print(_table(found))
    if out is not None:
        write_json(out, {name: figures.to_json() for name, figures in found.items()})
        console.print(f"rows: {out}", markup=False, soft_wrap=True)


def _table(found: dict[str, ExtractionFigures]) -> Table:
    table = Table("", *found, box=None)
    told = {name: figures.to_json() for name, figures in found.items()}
    for key in [key for key in next(iter(told.values())) if key != "rows"]:
        cells = []
        for figures in told.values():
            value = figures[key]
            shown = "–" if value is None else f"{value:.3f}" if key in _SHARES else f"{value:,.0f}"
            cells.append(shown)
        table.add_row(key, *cells)
    return table
