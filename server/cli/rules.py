"""``palate rules``: what a file of business rules says, before it is put to use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli.console import out, settings_from

if TYPE_CHECKING:
    from agent.settings import Settings
    from retrieval.rules.rules import Rules
    from retrieval.types import Item

app = typer.Typer(
    help="Business rules: what may be shown, and what goes where (docs/rules.md).",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_SHOWN = 5


@app.callback()
def group() -> None:
    """Business rules: what may be shown, and what goes where (docs/rules.md)."""


@app.command(
    epilog=(
        "Examples: `palate rules check rules.toml`, `palate --home shop rules check rules.toml`"
    )
)
def check(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="TOML file of rules.")],
) -> None:
    """Say in words what every rule does, and what it meets in the catalogue of the home folder.

    Exit code 2 and the nearest name where a rule or a key is unknown.
    """
    from agent.rules_file import read_rules
    from retrieval.rules.words import in_words

    rules = read_rules(file)
    every = (*rules.filters, *rules.caps, *rules.pins, *rules.buries)
    for rule in every:
        out.print(f"{rule.label}\n    {in_words(rule)}", markup=False, emoji=False)
    out.print(f"{len(every)} rules, all of them usable" if every else "no rules")
    items = _catalogue(settings_from(ctx))
    if every and items:
        for line in _met(rules, items):
            out.print(line, markup=False, emoji=False)


def _catalogue(settings: Settings) -> list[Item]:
    """The items of the home folder; none where there is no home, which is not made for this."""
    from agent.stores import open_stores

    if not settings.store.database_url and not (settings.store.home / "palate.sqlite3").is_file():
        return []
    with open_stores(settings) as stores:
        return list(stores.catalog.items())


def _met(rules: Rules, items: Sequence[Item]) -> Iterator[str]:
    from retrieval.rules.filters import Filters
    from retrieval.rules.rules import Asker, Bury, ExcludeItems, Pin

    allowed = Filters(rules.filters, items).allowed(Asker())
    left = len(items) - len(allowed.left_out)
    yield f"a stranger of unknown region and age may be shown {left} of {len(items)} items"
    for sentence in allowed.sentences:
        yield f"    {sentence}"
    fields = [
        one.field for one in (*rules.filters, *rules.caps) if not isinstance(one, ExcludeItems)
    ]
    for field in dict.fromkeys(fields):
        lacking = sum(field not in item.attributes for item in items)
        if lacking:
            yield f"warning: {lacking} of {len(items)} items have no {field}"
    known = {item.item_id for item in items}
    naming: list[ExcludeItems | Pin | Bury] = [*rules.pins, *rules.buries]
    naming += [one for one in rules.filters if isinstance(one, ExcludeItems)]
    for rule in naming:
        unknown = [one for one in rule.item_ids if one not in known]
        if unknown:
            more = ", …" if len(unknown) > _SHOWN else ""
            shown = ", ".join(unknown[:_SHOWN]) + more
            yield f"warning: {rule.label}: not in the catalogue: {shown}"
