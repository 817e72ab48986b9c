"""The certificate of what was learned: every figure measured on the pools that taught it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from agent.fitting.certificate import Certificate, Measured, SourceLine
from agent.fitting.combine import combsum, reciprocal_ranks
from agent.fitting.learn import Learned
from agent.fitting.pools import FitPool
from agent.fitting.served import prior_shares
from agent.measure import mean_and_interval
from retrieval.fusion.weights import FusionWeights


def certify(
    pools: Sequence[FitPool],
    names: tuple[str, ...],
    weights: FusionWeights,
    learned: Learned | None,
    *,
    cut: str,
    share_after: float,
    per_source: int,
    seconds: Mapping[str, float],
    bytes_of: Mapping[str, int],
    seed: int,
) -> Certificate:
    """Measure sources, S and what needs no labels on the same pools, and say what was decided.

    Args:
        pools: one a labelled user; may be empty.
        names: sources, the columns of the pools.
        weights: that are served.
        learned: what they rest on; ``None`` = they are the prior.
        cut: of the log, ISO 8601, or "".
        share_after: of the events, later than the cut.
        per_source: best of each source that make a pool.
        seconds: of each fit on the past.
        bytes_of: what each learned.
        seed: of the resampling.
    """

    def measured(name: str, values: NDArray[np.float64]) -> Measured:
        return Measured(name, *mean_and_interval(values, seed=seed))

    alone = np.array([pool.alone for pool in pools]).reshape(-1, len(names))
    best = int(np.argmax(alone.mean(axis=0))) if len(pools) else 0
    start = prior_shares(names)
    prior = np.array([pool.ndcg(start) for pool in pools])
    served = prior if learned is None else learned.values
    return Certificate(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        data_hash=weights.data_hash,
        seed=seed,
        cut=cut,
        share_after=share_after,
        users=len(pools),
        trainable=sum(len(pool.positives) > 0 for pool in pools),
        recall=float(np.mean([pool.recall for pool in pools])) if pools else float("nan"),
        per_source=per_source,
        sources=tuple(
            SourceLine(
                name,
                measured(name, alone[:, at]),
                weights.without_text.get(name, 0.0),
                seconds.get(name, 0.0),
                bytes_of.get(name, 0),
                _because(name, weights, learned),
            )
            for at, name in enumerate(names)
        ),
        combined=(
            measured("S", served),
            measured("S with the prior", prior),
            measured("RRF", np.array([pool.ndcg_of(reciprocal_ranks(pool)) for pool in pools])),
            measured("CombSUM", np.array([pool.ndcg_of(combsum(pool)) for pool in pools])),
        ),
        gain=measured("gain", served - alone[:, best]),
        best=names[best],
        mixture=None if learned is None else learned.mixture,
        adaptive=None if learned is None else learned.adaptive,
        llm=None,
        weights=weights,
        notes=tuple(_notes(names[best], weights, learned)),
    )


def _because(name: str, weights: FusionWeights, learned: Learned | None) -> str:
    counts = weights.without_text.get(name, 0.0) > 0
    moved = any(slopes.get(name, 0.0) > 0 for slopes in weights.slopes.values())
    if learned is None:
        return "the prior's share" if counts else "the prior gives it nothing"
    if not learned.mixture.opened:
        return "the best single source" if counts else "the best single source is served alone"
    if counts:
        return "adds to the mixture"
    return "counts in some contexts only" if moved else "adds nothing beside the others"


def _notes(best: str, weights: FusionWeights, learned: Learned | None) -> list[str]:
    usual = ["requests with text: query and lexical keep the prior's share, nobody labels queries"]
    if learned is None:
        return [f"the prior is served: {weights.note}", *usual]
    notes = []
    if not learned.mixture.opened:
        notes.append(f"{best} alone is served: {learned.mixture.overall.because}")
    for stratum in learned.mixture.closed_in:
        notes.append(f"histories of {stratum}: {best} alone, S is shown to lose there")
    if learned.adaptive is None:
        usual.append("weights do not follow the context: too few users to show that it helps")
    elif not learned.adaptive.opened:
        usual.append(f"weights do not follow the context: {learned.adaptive.overall.because}")
    return [*notes, *usual]
