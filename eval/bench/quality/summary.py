"""Everything that the report says of one data set under one protocol, as plain numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.bench.quality.beyond import surroundings
from eval.bench.quality.curve import ablation, learning_curve
from eval.bench.quality.measures import (
    BASE,
    PRIMARY,
    Measured,
    against_base,
    figures_of,
    gain,
    measure,
    strata_of,
)
from eval.bench.quality.movement import movement
from eval.bench.quality.outcomes import Outcome
from eval.bench.quality.part import Part
from eval.bench.quality.references import reference_rows
from retrieval.fusion.context import STRATA, stratum_of
from retrieval.fusion.gate import LOWEST_STRATUM

_RANDOM = "F-random"


def summarise(part: Part) -> dict[str, Any]:
    """Compute what is missing, and put the figures together.

    Raises:
        InvalidInput: a file of the part's folder is damaged; names it.
    """
    part.begin()
    seeds = part.settings.seeds
    by_seed = [part.outcomes(seed) for seed in seeds]
    peers = part.peers()
    extra = {
        "curve": part.kept("curve", lambda: {"rows": learning_curve(*part.pools(seeds[0]),
                                                                     part.progress)}),
        "ablation": part.kept("ablation", lambda: {"rows": ablation(*part.pools(seeds[0]),
                                                                     part.progress)}),
        "movement": part.kept("movement", lambda: movement(part.pools(seeds[0])[1],
                                                           part.weights(seeds[0]))),
        "references": part.kept("references", lambda: {"rows": reference_rows(part.data,
                                                                              part.progress)}),
        "twenty": part.twenty(),
    }  # fmt: skip
    outcomes = {name: [one[name] for one in by_seed] for name in by_seed[0]}
    outcomes |= {name: [one] for name, one in peers.items()}
    state = _digest(outcomes)
    name = "summary"
    kept = part.kept(name, lambda: {"state": state, **_figures(part, outcomes, peers)})
    if kept.get("state") != state:  # a peer or a system came since
        (part.folder / f"{name}.json").unlink()
        kept = part.kept(name, lambda: {"state": state, **_figures(part, outcomes, peers)})
    return {"data": part.data.name, "protocol": part.protocol, **kept, **extra}


def _figures(
    part: Part, outcomes: Mapping[str, Sequence[Outcome]], peers: Mapping[str, Outcome]
) -> dict[str, Any]:
    asked = part.periods.test
    around = surroundings(asked, part.data.items, part.features.text, part.data.genre)
    part.progress.start("measuring", len(outcomes))
    systems: dict[str, Measured] = {}
    for name, own in outcomes.items():
        systems[name] = measure(own, around)
        part.progress.advance()
    sources = part.models.names
    lengths = np.array([stratum_of(int(length)) for length in asked.history])
    return {
        "users": len(asked.users),
        "items": asked.matrix.shape[1],
        "train": int(asked.matrix.values.nnz),
        "labelled": len(part.periods.learn.users),
        "cold_items": int(asked.cold.sum()),
        "sources": list(sources),
        "left_out": [one for one in part.settings.sources if one not in sources],
        "seeds": list(part.settings.seeds),
        "alike_by": around.alike_by,
        "genre": part.data.genre,
        "strata": {one: int((lengths == one).sum()) for one in STRATA if (lengths == one).any()},
        "systems": [
            {
                "name": name,
                "kind": _kind(name, sources, peers),
                "figures": figures_of(one),
                "strata": strata_of(asked, one),
                "by_seed": [float(np.nanmean(values)) for values in one.by_seed],
                "meta": dict(outcomes[name][0].meta),
            }
            for name, one in systems.items()
        ],
        "against_S": against_base(systems),
        "single": _against(systems, sources, lengths),
        "chosen": _against(systems, [_best_on_t2(part)], lengths),
        "peer": _against(systems, tuple(peers), lengths),
        "cold_start": _cold_start(systems),
        "random": _random(systems),
    }


def _against(
    systems: Mapping[str, Measured], others: Sequence[str], lengths: np.ndarray
) -> dict[str, Any] | None:
    """S against the best of some systems on T3; ``None`` without any."""
    if not others or BASE not in systems:
        return None
    best = max(others, key=lambda name: float(np.nanmean(systems[name].values[PRIMARY])))
    own, over = systems[BASE], systems[best]
    s, b = own.values[PRIMARY], over.values[PRIMARY]
    return {
        "best": best,
        "ndcg": float(np.nanmean(b)),
        "overall": gain(s, b),
        "strata": {
            name: gain(s[lengths == name], b[lengths == name])
            for name in STRATA
            if (lengths == name).sum() >= LOWEST_STRATUM
        },
        "seeds": [
            gain(values, over.by_seed[min(at, len(over.by_seed) - 1)])
            for at, values in enumerate(own.by_seed)
        ],
    }


def _best_on_t2(part: Part) -> str:
    """The source that one would serve alone: chosen before the test, as a deployment has to."""
    tuned = part.tuned
    return max(tuned, key=lambda name: tuned[name].value)


def _cold_start(systems: Mapping[str, Measured]) -> dict[str, Any] | None:
    mine = systems.get("cold_start")
    if mine is None:
        return None
    others = [name for name in ("popular", "content", "ials") if name in systems]
    return {
        name: {
            "cold": gain(mine.cold, systems[name].cold),
            "among_cold": gain(mine.among_cold, systems[name].among_cold),
            "warm": gain(mine.warm, systems[name].warm),
        }
        for name in others
    }


def _random(systems: Mapping[str, Measured]) -> float | None:
    """Largest difference of one user between S and F with the random scorer."""
    if BASE not in systems or _RANDOM not in systems:
        return None
    apart = np.abs(systems[_RANDOM].values[PRIMARY] - systems[BASE].values[PRIMARY])
    return float(np.nanmax(apart, initial=0.0))


def _kind(name: str, sources: Sequence[str], peers: Mapping[str, Outcome]) -> str:
    if name == BASE:
        return "base"
    if name in sources:
        return "source"
    return "peer" if name in peers else "control" if name.startswith("F-") else "fusion"


def _digest(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    digest = hashlib.sha256()
    for name, own in outcomes.items():
        digest.update(f"{name} {len(own)}\n".encode())
        for one in own:
            digest.update(np.concatenate(one.ranks).tobytes() + one.top.tobytes())
    return digest.hexdigest()
