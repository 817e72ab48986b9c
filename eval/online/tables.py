"""Tables of what logged requests say, for ``palate eval online`` and ``off-policy``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from eval.online.ab import AB
from eval.online.interleaving import Interleaved
from eval.online.log import Exposure
from eval.online.off_policy import OffPolicy


def totals(exposures: Sequence[Exposure]) -> str:
    """The first line of every answer."""
    users = {one.request.user_id for one in exposures} - {None}
    taken = sum(bool(one.taken) for one in exposures)
    return f"{len(exposures)} logged requests of {len(users)} users, something taken after {taken}"


def print_ab(out: Console, name: str, result: AB) -> None:
    """Arms, their differences from the first, and what is wrong with the split."""
    table = _table(
        f"A/B {name}: share of a user's requests after which something was taken",
        ("arm",),
        ("users", "requests", "rate [95 %]"),
    )
    for arm in result.arms:
        rate = _interval(arm.rate, arm.low, arm.high)
        table.add_row(arm.name, str(arm.users), str(arm.requests), rate)
    out.print(table)
    table = _table("", ("arm", "minus"), ("difference [95 %]", "p", "p (Holm)", "d"))
    for one in result.differences:
        numbers = (_number(one.p), _number(one.p_holm), _number(one.effect, 2))
        difference = _interval(one.mean, one.low, one.high, signed=True)
        table.add_row(one.arm, one.against, difference, *numbers)
    out.print(table)
    out.print(f"split of users as planned: p = {_number(result.ratio_p)}")
    _warn(out, result.warnings)


def print_interleaved(out: Console, name: str, result: Interleaved) -> None:
    """Requests won, lost and tied, and the test over users."""
    table = _table(
        f"Interleaving {name}: {result.system} against {result.against}",
        (), ("requests", "won", "lost", "tied", "users", "won - lost [95 %]", "p"),
    )  # fmt: skip
    found = result.comparison
    counts = (result.requests, result.wins, result.losses, result.ties, found.n)
    difference = _interval(found.mean, found.low, found.high, signed=True)
    table.add_row(*map(str, counts), difference, _number(found.p))
    out.print(table)
    if result.unexposed:
        _warn(out, [f"{result.unexposed} requests were answered without an arm and left out"])


def print_estimates(out: Console, name: str, depth: int, result: OffPolicy) -> None:
    """What was earned, three estimates, the overlap and its warnings."""
    places = "first place" if depth == 1 else f"first {depth} places"
    title = f"{name}: items taken from the {places} of a request"
    table = _table(title, ("estimate",), ("value [95 %]",))
    for one in (result.logged, *result.estimates):
        label = "as logged (really earned)" if one.name == "logged" else one.name
        table.add_row(label, _interval(one.value, one.low, one.high))
    out.print(table)
    overlap = result.overlap
    out.print(
        f"{overlap.requests} requests count as {overlap.effective:.0f} ({overlap.share:.1%}); "
        f"largest weight {overlap.largest:.1f}; {result.left_out} requests left out"
    )
    _warn(out, result.warnings)


def _warn(out: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        out.print(f"WARNING: {warning}", style="bold red", markup=False)


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=title or None, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in left:
        table.add_column(column, overflow="fold")
    for column in right:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _interval(mean: float, low: float, high: float, *, signed: bool = False) -> str:
    if math.isnan(mean):
        return "-"
    form = "+.4f" if signed else ".4f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _number(value: float, digits: int = 4) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def console() -> Console:
    """Standard output, without colours for numbers."""
    return Console(highlight=False, soft_wrap=True)
