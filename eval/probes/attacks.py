"""Texts that try to lift the item whose card they stand in: ``attacks.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile text; ``kind`` groups those that try the same."""

    name: str
    kind: str
    lang: Literal["en", "zh"]
    text: str


@cache
def load_attacks() -> tuple[Attack, ...]:
    """Every attack, in the order of the file."""
    text = resources.files("eval.probes").joinpath("attacks.toml").read_text(encoding="utf-8")
    return tuple(
        Attack(row["name"], row["kind"], row["lang"], row["text"])
        for row in tomllib.loads(text)["attack"]
    )
