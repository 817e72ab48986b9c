"""The results as a table to paste into a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.bench.quality.measures import PRIMARY

_COLUMNS = ("hr@10", "recall@10", "recall@50", "coverage@10", "novelty", "diversity")


def markdown(parts: Sequence[Mapping[str, Any]]) -> str:
    """A heading and a table for each data set and protocol."""
    return "\n".join(_part(part) for part in parts)


def _part(part: Mapping[str, Any]) -> str:
    against = {one["system"]: one for one in part["against_S"]}
    lines = [
        f"### {part['data']}, {part['protocol']}",
        "",
        f"{part['users']} users, {part['items']} items, {part['train']} interactions before.",
        "",
        "| system | NDCG@10 | 95 % interval | over S | p (Holm) | " + " | ".join(_COLUMNS) + " |",
        "|---|---:|---|---:|---:|" + "---:|" * len(_COLUMNS),
    ]
    for one in sorted(part["systems"], key=lambda one: -(one["figures"][PRIMARY]["mean"] or 0)):
        main, pair = one["figures"][PRIMARY], against.get(one["name"])
        cells = [
            one["name"],
            _number(main["mean"]),
            f"[{_number(main['low'])}, {_number(main['high'])}]",
            "" if pair is None or pair["mean"] is None else f"{pair['mean']:+.4f}",
            "" if pair is None or pair["p_holm"] is None else f"{pair['p_holm']:.4f}",
            *(_number(one["figures"][name]["mean"]) for name in _COLUMNS),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
