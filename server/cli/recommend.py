"""``palate recommend``: one request on the command line, readable or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from retrieval.types import Answer, Query, Recommendation
from server.cli.console import out, settings_from
from server.cli.where import parse_where

if TYPE_CHECKING:
    from agent.settings import Settings

_BAR = 8


def register(app: typer.Typer) -> None:
    """Attach the command."""
    app.command(
        epilog=(
            'Examples: `palate recommend --user U12 --query "a dry white wine" -n 5`, '
            '`palate recommend --query "不要塑料的水壶，100元以下"`, '
            '`palate recommend --user U12 --where "price<50" --where "colour=red" --json`, '
            "`palate recommend --user U12 --region SE --diversity 0.3`"
        )
    )(recommend)


def recommend(
    ctx: typer.Context,
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Who asks; leave out for a stranger.")
    ] = None,
    query: Annotated[
        str, typer.Option("--query", "-q", help="A wish in free text, English or Chinese.")
    ] = "",
    n: Annotated[int, typer.Option("-n", help="How many items.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(help="A hard condition: price<50, colour=red, tags~vegan, size in S,M."),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also items that the user knows already.")
    ] = False,
    no_rerank: Annotated[
        bool, typer.Option("--no-rerank", help="Without a language model; starts none.")
    ] = False,
    lang: Annotated[
        str, typer.Option(help="Language of the reasons, en or zh; default: that of the query.")
    ] = "",
    region: Annotated[
        str, typer.Option(help="Where they are, for the shop's rules; default: as the user says.")
    ] = "",
    age: Annotated[
        float | None, typer.Option(help="Years, for the shop's rules; default: as the user says.")
    ] = None,
    diversity: Annotated[
        float | None,
        typer.Option(help="0 = the ranked order, 1 = each unlike those above; default: as set."),
    ] = None,
    cursor: Annotated[
        str, typer.Option(help="Of the page before, with the same flags: shows the next page.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")] = False,
) -> None:
    """Recommend items to a user or a stranger, with reasons and score parts."""
    conditions = tuple(parse_where(text) for text in where or ())
    answer = _ask(
        settings_from(ctx),
        Query(
            text=query,
            user_id=user,
            constraints=conditions,
            n=n,
            include_seen=include_seen,
            lang=lang,
            rerank=not no_rerank,
            log=False,  # whoever types this tries the system out
            region=region,
            age=age,
            diversity=diversity,
            cursor=cursor,
        ),
    )
    if as_json:
        out.print(
            json.dumps(asdict(answer), ensure_ascii=False, indent=2), markup=False, emoji=False
        )
    else:
        print_answer(answer, out)


def _ask(settings: Settings, query: Query) -> Answer:
    # Only when it runs, so that --help stays quick.
    from contextlib import ExitStack, closing

    from agent.build import build_recommender
    from agent.progress import ConsoleProgress

    with ExitStack() as running, ConsoleProgress() as progress:
        model = None
        if query.rerank and settings.rerank.enabled:
            from agent.models.running import language_model

            model = running.enter_context(language_model(settings, progress))
        progress.start("loading the catalogue and fitting the sources", None)
        recommender = running.enter_context(closing(build_recommender(settings, model=model)))
        progress.start("answering", None)
        return recommender.recommend(query)


def print_answer(answer: Answer, console: Console) -> None:
    """The answer as a table with reasons under each item, then how it came about."""
    if answer.recommendations:
        console.print(_table(answer))
    else:
        console.print("Nothing to recommend.")
    trace = answer.trace
    for note in trace.notes:
        console.print(f"[dim]note:[/dim] {escape(note)}")
    for rule in trace.rules:
        console.print(f"[dim]rule:[/dim] {escape(rule)}")
    if trace.trade_off is not None:
        one = trace.trade_off
        console.print(
            f"[dim]diversity {one.diversity:g}:[/dim] {one.relevance_kept:.0%} of the relevance "
            f"kept, intra-list diversity {one.before:.2f} → {one.after:.2f}"
        )
    if trace.degraded_because:
        console.print(f"[yellow]degraded:[/yellow] {escape(trace.degraded_because)}")
    spent = " · ".join(f"{stage} {ms:.0f} ms" for stage, ms in trace.milliseconds_by_stage.items())
    model = f" · {trace.model}, {trace.calls} call, {trace.tokens} tokens" if trace.calls else ""
    console.print(
        f"[dim]ranked by {trace.ranker_used} ({trace.weights_used} weights) out of "
        f"{trace.pool_size} candidates{escape(model)} · {spent}[/dim]"
    )
    if answer.next_cursor:
        console.print(f"[dim]next page: the same with --cursor {answer.next_cursor}[/dim]")


def _table(answer: Answer) -> Table:
    table = Table(box=None, padding=(0, 2, 1, 0), expand=False)
    table.add_column("#", justify="right", style="bold")
    table.add_column("item and reasons", overflow="fold", ratio=3)
    table.add_column("score", justify="right")
    table.add_column("parts", overflow="fold")
    for one in answer.recommendations:
        table.add_row(str(one.rank), _reasons(one), f"{one.score:+.3f}", _parts(one))
    return table


def _reasons(one: Recommendation) -> Text:
    text = Text(one.title, style="bold")
    if one.title != one.item_id:
        text.append(f"  {one.item_id}", style="dim")
    moved = one.base_rank - one.rank
    if moved:
        text.append(f"  {'▲' if moved > 0 else '▼'}{abs(moved)}", style="cyan")
    if one.collapsed:
        text.append(f"  also listed as {', '.join(one.collapsed)}", style="dim")
    if one.explanation is not None:
        claimed = [claim.sentence for claim in one.explanation.claims]
        shares = one.explanation.text.partition(claimed[0])[0] if claimed else one.explanation.text
        for line in claimed:
            text.append(f"\n· {line}", style="not bold")
        text.append(f"\n· {shares.strip()}", style="not bold dim")
    return text


def _parts(one: Recommendation) -> Text:
    """Signed numbers with a bar each, the largest part first."""
    largest = max((abs(value) for value in one.parts.values()), default=0.0)
    text = Text()
    for name, value in sorted(one.parts.items(), key=lambda part: (-part[1], part[0])):
        length = round(_BAR * abs(value) / largest) if largest else 0
        if text:
            text.append("\n")
        text.append(f"{name:<9} {value:+.3f} ")
        text.append("█" * length, style="green" if value >= 0 else "red")
    return text
