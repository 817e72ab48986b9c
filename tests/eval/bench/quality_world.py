"""A shop of thirty items in three colours; people keep to a colour and walk in circles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from eval.bench.quality.settings import QualitySettings
from retrieval.ports import Vectors

PEOPLE, ITEMS, STEPS = 40, 30, 6
COLOURS = ("blue", "green", "red")
SOURCES = ("behaviour", "item_knn", "markov", "content", "popular")
START = datetime(2024, 1, 1, tzinfo=UTC)

ONE_BAR = '[[bars]]\nkind = "random"\n'


def taken(user: int, step: int) -> int:
    """Items of one colour in a circle, where everybody starts somewhere else."""
    return (user % 3) + 3 * ((user // 3 + step) % (ITEMS // 3))


def write_shop(folder: Path) -> Path:
    """A data-set folder in Palate's format."""
    folder.mkdir(parents=True)
    items = [
        {"item_id": f"i{at:02d}", "title": f"Thing {at}", "colour": COLOURS[at % 3]}
        for at in range(ITEMS)
    ]
    (folder / "items.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in items))
    rows = [
        f"u{user:02d},i{taken(user, step):02d},purchase,1,"
        f"{(START + timedelta(days=step, minutes=user)).isoformat()}\n"
        for user in range(PEOPLE)
        for step in range(STEPS)
    ]
    (folder / "interactions.csv").write_text("user_id,item_id,kind,value,at\n" + "".join(rows))
    return folder


def small(shop: Path, protocols: Sequence[str] = ("temporal",)) -> QualitySettings:
    """A benchmark of seconds."""
    return QualitySettings(
        data=(str(shop),),
        protocols=tuple(protocols),
        systems=(*SOURCES, "S", "S-prior", "rrf", "comb_sum", "F-random"),
        trials=2,
        seconds=30.0,
    )


class Letters:
    """Implements ``retrieval.ports.Embedder``: a unit vector for the last word of a text."""

    embedder_id = "letters"
    dimension = 8

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = []
        for text in texts:
            seed = int(hashlib.sha256(text.split()[-1].encode()).hexdigest()[:8], 16)
            own = np.random.default_rng(seed).normal(size=self.dimension)
            rows.append(own / np.linalg.norm(own))
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
