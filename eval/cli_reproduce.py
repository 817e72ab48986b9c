"""``palate eval reproduce``: the numbers of the docs, once more."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the command to ``palate eval``."""
    app.command(
        epilog="Examples: `palate eval reproduce`, `palate eval reproduce xwines-reference`, "
        "`palate eval reproduce --list`. Exit codes: 0 every score that could be measured "
        "held, 1 one did not, 2 bad usage, 3 no such name."
    )(reproduce)


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; default the cheap ones.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The dear ones as well.")] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Say what there is and stop.")] = False,
) -> None:
    """Run the commands of eval/expected/ and compare what they give with what they must give."""
    from eval.reproduce import check_root, choose, read_expected
    from eval.reproduce import reproduce as run_again

    check_root()
    chosen = choose(read_expected(), names or [], "hours" if everything or only_list else "minutes")
    out = Console(highlight=False)
    if only_list:
        table = Table("name", "cost", "about", "command", box=None)
        for name, one in chosen.items():
            table.add_row(name, one.cost, one.about, one.command)
        out.print(table)
        return
    err = Console(stderr=True, highlight=False)
    lines = []
    for at, (name, one) in enumerate(chosen.items(), start=1):
        err.print(f"{at} of {len(chosen)}: {one.command}", markup=False, soft_wrap=True)
        lines += run_again(name, one)
    table = Table("name", "system", "metric", box=None)
    for column in ("expected", "measured", "within"):
        table.add_column(column, justify="right")
    table.add_column("")
    for line in lines:
        score = line.score
        measured = "–" if line.measured is None else f"{line.measured:.4f}"
        verdict = line.state if line.state != "failed" else "FAILED"
        table.add_row(
            line.name,
            score.system,
            score.metric,
            f"{score.value:.4f}",
            measured,
            f"{score.within:g}",
            f"{verdict}{': ' + line.why if line.why else ''}",
        )
    out.print(table)
    count = {
        state: sum(line.state == state for line in lines) for state in ("ok", "failed", "skipped")
    }
    out.print(f"{count['ok']} hold, {count['failed']} do not, {count['skipped']} were skipped")
    if count["failed"]:
        raise typer.Exit(FAILED)
