"""What has to come out, held against what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from eval.config import Table, read_toml, validated

FILE = Path(__file__).with_name("bars.toml")
_METRIC = "ndcg@10"
_FUSED = "S"

Kind = Literal["gain", "loss", "peer", "lists", "cold", "warm", "random", "rows", "curve"]
State = Literal["held", "failed", "not measured"]


class Bar(Table):
    """One threshold; an empty ``data`` or ``protocol`` means every one in the run."""

    kind: Kind
    data: str = ""
    protocol: str = ""
    over: str = ""
    at_least: float = 0.0
    sets: int = 0


class _File(Table):
    bars: tuple[Bar, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class BarResult:
    """One threshold as it came out; ``measured`` says in words what was found."""

    text: str
    measured: str
    state: State


def read_bars(path: Path = FILE) -> tuple[Bar, ...]:
    """The thresholds of a file.

    Raises:
        InvalidInput: the file cannot be read or has an entry that means nothing.
    """
    return validated(_File, read_toml(path), path).bars


def hold(bars: Sequence[Bar], parts: Sequence[Mapping[str, Any]]) -> list[BarResult]:
    """Each threshold against the parts that it is about."""
    results: list[BarResult] = []
    for bar in bars:
        about = [
            part
            for part in parts
            if bar.data in ("", part["data"]) and bar.protocol in ("", part["protocol"])
        ]
        if bar.kind == "gain":
            results.append(_gain(bar, about))
            continue
        found = [one for part in about if (one := _KINDS[bar.kind](bar, part)) is not None]
        results += found or [BarResult(_text(bar), "–", "not measured")]
    return results


def _gain(bar: Bar, parts: Sequence[Mapping[str, Any]]) -> BarResult:
    """On how many data sets S is shown to be better; a set counts by its temporal part.

    Against the source that T2 calls the best: the best on T3 is known afterwards only, and of a
    dozen sources one is always lucky. The other bars hold S against that one.
    """
    by_set: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        if part["chosen"] is not None and (
            part["protocol"] == "temporal" or part["data"] not in by_set
        ):
            by_set[part["data"]] = part["chosen"]["overall"]
    better = [name for name, one in by_set.items() if (one["low"] or 0.0) > 0]
    text = f"S beats the source that T2 calls best, low end above 0, on {bar.sets} data sets"
    said = ", ".join(
        f"{name} {_signed(one['mean'])} [{_signed(one['low'])}, {_signed(one['high'])}]"
        for name, one in by_set.items()
    )
    if len(by_set) < bar.sets and len(better) == len(by_set):
        return BarResult(text, said or "–", "not measured")
    return BarResult(
        text, f"{len(better)}: {said}", "held" if len(better) >= bar.sets else "failed"
    )


def _loss(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    single = part["single"]
    if single is None:
        return None
    found = {
        "overall": single["overall"]["relative"],
        **{name: one["relative"] for name, one in single["strata"].items()},
        **{f"seed {at}": one["relative"] for at, one in enumerate(single["seeds"])},
    }
    known = {name: one for name, one in found.items() if one is not None}
    if not known:
        return None
    worst = min(known, key=lambda name: known[name])
    return _result(
        f"S loses at most {-bar.at_least:.0%} to {single['best']} anywhere{_of(part)}",
        f"{known[worst]:+.1%} ({worst})",
        known[worst] >= bar.at_least,
    )


def _peer(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    peer = part["peer"]
    if peer is None or peer["overall"]["relative"] is None:
        return None
    value = peer["overall"]["relative"]
    return _result(
        f"S gains at least {bar.at_least:.0%} over the best peer{_of(part)}",
        f"{value:+.1%} over {peer['best']}",
        value >= bar.at_least,
    )


def _lists(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    found = part["twenty"].get(_FUSED)
    if found is None:
        return None
    value = found[_METRIC]["mean"]
    text = f"NDCG@10 of S on twenty candidates above {bar.at_least:.4f}{_of(part)}"
    return _result(text, f"{value:.4f}", value > bar.at_least)


def _cold(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    found = (part["cold_start"] or {}).get(bar.over)
    if found is None or found["cold"]["mean"] is None or not found["cold"]["n"]:
        return None
    one = found["cold"]
    return _result(
        f"cold_start beats {bar.over} on cold items{_of(part)}",
        f"{_signed(one['mean'])} [{_signed(one['low'])}, {_signed(one['high'])}], n = {one['n']}",
        one["low"] > bar.at_least,
    )


def _warm(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    found = (part["cold_start"] or {}).get("ials")
    if found is None or found["warm"]["mean"] is None:
        return None
    one = found["warm"]
    return _result(
        f"cold_start loses nothing to ials on warm items{_of(part)}",
        f"{_signed(one['mean'])} [{_signed(one['low'])}, {_signed(one['high'])}]",
        one["high"] >= bar.at_least,
    )


def _random(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    value = part["random"]
    if value is None:
        return None
    text = f"F with the random scorer is exactly S{_of(part)}"
    return _result(text, f"largest difference {value:g}", value <= 0)


def _rows(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    rows = part["references"]["rows"]
    if not rows:
        return None
    wrong = [row for row in rows if not row["held"]]
    said = ", ".join(f"{row['system']} {row['metric']} {row['measured']:.4f}" for row in wrong)
    return _result(
        f"the reference rows reproduce to the third decimal, {part['data']}",
        said or f"{len(rows)} of {len(rows)} hold",
        not wrong,
    )


def _curve(bar: Bar, part: Mapping[str, Any]) -> BarResult | None:
    single, rows = part["single"], part["curve"]["rows"]
    if single is None or not rows or not single["ndcg"]:
        return None
    worst = min(rows, key=lambda row: row["mean"])
    value = worst["mean"] / single["ndcg"] - 1
    return _result(
        f"S loses at most {-bar.at_least:.0%} with any number of labels{_of(part)}",
        f"{value:+.1%} at {worst['n']} labelled users",
        value >= bar.at_least,
    )


_KINDS: Mapping[str, Callable[[Bar, Mapping[str, Any]], BarResult | None]] = {
    "loss": _loss,
    "peer": _peer,
    "lists": _lists,
    "cold": _cold,
    "warm": _warm,
    "random": _random,
    "rows": _rows,
    "curve": _curve,
}


def _result(text: str, measured: str, held: bool) -> BarResult:
    return BarResult(text, measured, "held" if held else "failed")


def _of(part: Mapping[str, Any]) -> str:
    return f", {part['data']} {part['protocol']}"


def _text(bar: Bar) -> str:
    about = " ".join(one for one in (bar.data, bar.protocol, bar.over) if one)
    return f"{bar.kind}{', ' + about if about else ''}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}"
