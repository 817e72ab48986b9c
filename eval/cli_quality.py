"""``palate eval quality``: the benchmark of recommendation quality."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agent.progress import ConsoleProgress
from retrieval.errors import InvalidInput, PalateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FAILED, COULD_NOT_RUN = 1, 2
_WIDE = 120


def register(app: typer.Typer) -> None:
    """Add the command to ``palate eval``."""
    app.command(
        epilog="Examples: `palate eval quality --out bench`, `palate eval quality --data "
        "xwines,games6k --protocol temporal,leave-last-out --peers peers --run-peers "
        "als,sasrec,lightgcn --out bench`, "
        "`palate eval quality --data musical-instruments --trials 1 --out try`. The same command "
        "again goes on where it was stopped. Exit codes: 0 every bar held, 1 one did not, "
        "2 could not run."
    )(quality)


def quality(
    out: Annotated[Path, typer.Option(help="Folder that receives everything; may be resumed.")],
    data: Annotated[
        str,
        typer.Option(
            help="Comma-separated: xwines, musical-instruments, movielens, games6k, or paths of "
            "data-set folders; all four by default."
        ),
    ] = "",
    protocol: Annotated[
        str, typer.Option(help="Comma-separated: temporal, leave-last-out; both by default.")
    ] = "",
    systems: Annotated[
        str,
        typer.Option(
            help="Comma-separated sources and fused systems; all by default. S has the sources "
            "that are named."
        ),
    ] = "",
    peers: Annotated[
        str, typer.Option(help="Folder with DATA-PROTOCOL/PEER/scores.npy, or none.")
    ] = "none",
    run_peers: Annotated[
        str,
        typer.Option(
            help="Comma-separated peers to run where --peers has no answer of theirs: als, bpr, "
            "vaecf, bivaecf, vbpr, neumf, lightgcn, sasrec. Makes an environment for each library."
        ),
    ] = "",
    trials: Annotated[int, typer.Option(min=1, help="Settings tried for each source.")] = 15,
    seconds: Annotated[
        float, typer.Option(min=0.001, help="After which no setting of a source is tried.")
    ] = 60.0,
    seeds: Annotated[str, typer.Option(help="Comma-separated whole numbers.")] = "0",
    labels: Annotated[int, typer.Option(min=1, help="Users that S learns from, at most.")] = 3000,
    ease_items: Annotated[int, typer.Option(min=1, help="Items above which EASE is left out.")] = (
        20_000
    ),
    threads: Annotated[int, typer.Option(min=1, help="Of the solvers.")] = 1,
) -> None:
    """Compare S with every source and every peer on full rankings; write one report.

    Settings are tuned on T2 under one budget, weights are learned on T2, T3 is tested once.
    """
    # Here and not above: every palate --help loads this file, and these take a second.
    from eval.bench.quality.report import write_report
    from eval.bench.quality.run import run_quality
    from eval.bench.quality.settings import QualitySettings

    screen = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    try:
        named = {
            name: _names(text)
            for name, text in (("data", data), ("protocols", protocol), ("systems", systems))
            if text
        }
        settings = QualitySettings(
            **named,
            peers=None if peers == "none" else Path(peers),
            run_peers=_names(run_peers),
            trials=trials,
            seconds=seconds,
            seeds=_seeds(seeds),
            labels=labels,
            ease_items=ease_items,
            threads=threads,
        )
        with ConsoleProgress() as progress:
            run = run_quality(settings, out, progress)
            report = write_report(out, run.results)
    except PalateError as error:
        # Whatever kept it from being made: pipelines tell "failed" from "could not run".
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(f"error: {error.message}", markup=False)
        if error.hint:
            err.print(f"hint: {error.hint}", markup=False)
        raise typer.Exit(COULD_NOT_RUN) from error
    for part in run.results["parts"]:
        screen.print(_table(part))
    for bar in run.bars:
        said = "FAILED" if bar.state == "failed" else bar.state
        screen.print(f"{said}: {bar.text}: {bar.measured}", markup=False, soft_wrap=True)
    screen.print(f"report: {report}", markup=False, soft_wrap=True)
    if run.failed:
        raise typer.Exit(FAILED)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(one) for one in _names(text)))
    except ValueError:
        raise InvalidInput(f"--seeds {text!r}", "give whole numbers: 0,1,2") from None


def _table(part: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"{part['data']}, {part['protocol']}: {part['users']} users, {part['items']} items",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("system")
    for name in ("NDCG@10 [95 % interval]", "hr@10", "recall@50", "coverage@10"):
        table.add_column(name, justify="right")
    ordered = sorted(part["systems"], key=lambda one: -one["figures"]["ndcg@10"]["mean"])
    for one in ordered:
        found = one["figures"]
        main = found["ndcg@10"]
        table.add_row(
            one["name"],
            f"{main['mean']:.4f} [{main['low']:.4f}, {main['high']:.4f}]",
            *(f"{found[name]['mean']:.4f}" for name in ("hr@10", "recall@50", "coverage@10")),
        )
    return table
