"""``palate eval``: evaluation from the command line. The files of its commands stand beside it."""

from __future__ import annotations

import typer

from eval import (
    cli_extract,
    cli_online,
    cli_optimise,
    cli_quality,
    cli_reproduce,
    cli_run,
    cli_runs,
)

app = typer.Typer(
    help="Measure how good the rankings, prompts and models are.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def _group() -> None:
    """Measure how good the rankings, prompts and models are."""


for _commands in (
    cli_run,
    cli_extract,
    cli_runs,
    cli_optimise,
    cli_online,
    cli_quality,
    cli_reproduce,
):
    _commands.register(app)
