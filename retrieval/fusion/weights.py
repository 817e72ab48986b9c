"""How much each source counts, where the numbers come from, and their JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from retrieval.errors import InvalidInput
from retrieval.fusion.context import FEATURES, STRATA, Context

SOURCES = ("behaviour", "profile", "query", "lexical", "popular")
TEXT_SOURCES = ("query", "lexical")

# Used until 100 labelled users exist; docs/decisions/0004-fusion-prior.md says why.
PRIOR_WITHOUT_TEXT: Mapping[str, float] = {"behaviour": 0.60, "profile": 0.20, "popular": 0.20}
PRIOR_WITH_TEXT: Mapping[str, float] = {
    "query": 0.40,
    "lexical": 0.25,
    "behaviour": 0.21,
    "profile": 0.07,
    "popular": 0.07,
}
FORMAT = 2


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """Weights >= 0 for the two scenes: a request without free text, and one with.

    Attributes:
        without_text: weight by source; adds up to 1.
        with_text: weight by source; adds up to 1. Nobody labels queries, so the text
            sources keep their prior share and the history sources divide the rest in
            the proportion of ``without_text``.
        slopes: by feature of the context, then by source: what one unit of the feature adds to
            the source's weight without text; the sum is kept at 0 or more. Empty = none.
        flat_in: strata in which the slopes do not apply.
        instead: by stratum, the one source that ranks there alone: no mixture was shown to be
            no worse.
        kind: "learned" from labelled users, or "prior".
        n_labelled: users whose pools trained the weights.
        data_hash: state of the stores at the fit; other data makes the weights stale.
        source_ndcg: NDCG@10 of each source alone on the labelled users.
        fused_ndcg: out-of-fold NDCG@10 of S on the same users; NaN when not measured.
        note: why these weights, for a person.
    """

    without_text: Mapping[str, float]
    with_text: Mapping[str, float]
    slopes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    flat_in: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["learned", "prior"] = "prior"
    n_labelled: int = 0
    data_hash: str = ""
    source_ndcg: Mapping[str, float] = field(default_factory=dict)
    fused_ndcg: float = math.nan
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse weights that are negative, not finite, or all zero."""
        for scene in (self.without_text, self.with_text):
            for source, weight in scene.items():
                if not 0 <= weight < math.inf:
                    raise InvalidInput(
                        f"fusion weight {weight} of {source!r}", "weights are finite and >= 0"
                    )
            if sum(scene.values()) <= 0:
                raise InvalidInput("all fusion weights are 0", "run palate fit again")
        unknown = [name for name in self.slopes if name not in FEATURES]
        unknown += [name for name in (*self.flat_in, *self.instead) if name not in STRATA]
        if unknown:
            raise InvalidInput(
                f"fusion weights know nothing of {unknown[0]!r}", "run palate fit again"
            )
        for feature in self.slopes.values():
            for source, slope in feature.items():
                if not math.isfinite(slope):
                    raise InvalidInput(
                        f"fusion slope {slope} of {source!r}", "slopes are finite numbers"
                    )

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source of either scene, the usual ones first."""
        return tuple(dict.fromkeys([*SOURCES, *self.without_text, *self.with_text]))

    def for_request(
        self, has_query: bool, live: Iterable[str], context: Context | None = None
    ) -> dict[str, float]:
        """Weights of the sources that say something here, adding up to 1.

        Sharing the weight of silent sources among the others leaves the order as it is
        and keeps S on one scale, which the language model's λ relies on. Where every
        source that speaks weighs 0 (a stranger, after training gave ``popular`` nothing),
        the prior decides, then equal shares.

        Args:
            has_query: the request carries free text.
            live: sources that tell candidates apart.
            context: of the request; ``None`` takes the weights as they stand.
        """
        scene = self._scene(has_query, context)
        prior = PRIOR_WITH_TEXT if has_query else PRIOR_WITHOUT_TEXT
        names = tuple(live)
        for weights in (scene, prior, dict.fromkeys(names, 1.0)):
            chosen = {name: weights.get(name, 0.0) for name in names}
            total = math.fsum(chosen.values())
            if total > 0:
                return {name: weight / total for name, weight in chosen.items()}
        return {}

    def _scene(self, has_query: bool, context: Context | None) -> Mapping[str, float]:
        plain = self.with_text if has_query else self.without_text
        if context is None or not (self.slopes or self.instead):
            return plain
        moved = self._moved(context)
        total = math.fsum(moved.values())
        if not has_query or total <= 0:
            return moved if total > 0 else plain
        # What people did keeps its share beside the text and divides it by context.
        text = {name: plain[name] for name in TEXT_SOURCES if name in plain}
        share = math.fsum(w for name, w in plain.items() if name not in TEXT_SOURCES)
        return text | {name: share * weight / total for name, weight in moved.items()}

    def _moved(self, context: Context) -> dict[str, float]:
        """Weights without text as the context moves them; not scaled."""
        alone = self.instead.get(context.stratum)
        if alone is not None:
            return {alone: 1.0}
        weights = dict(self.without_text)
        if context.stratum in self.flat_in:
            return weights
        for name, size in zip(FEATURES, context.g.tolist(), strict=True):
            for source, slope in self.slopes.get(name, {}).items():
                weights[source] = weights.get(source, 0.0) + slope * size
        return {source: max(0.0, weight) for source, weight in weights.items()}

    def to_json(self) -> str:
        """Readable JSON; NaN becomes null."""
        record = {"format": FORMAT, **asdict(self)}
        record["fused_ndcg"] = None if math.isnan(self.fused_ndcg) else self.fused_ndcg
        return json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FusionWeights:
        """The inverse of ``to_json``.

        Raises:
            InvalidInput: not JSON, another format, or unusable weights.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            if record["format"] != FORMAT:
                raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
            kind, ndcg = record["kind"], record["fused_ndcg"]
            if kind not in ("learned", "prior"):
                raise ValueError(f"kind {kind!r}")
            return cls(
                without_text=_numbers(record["without_text"]),
                with_text=_numbers(record["with_text"]),
                slopes={str(name): _numbers(one) for name, one in record["slopes"].items()},
                flat_in=tuple(map(str, record["flat_in"])),
                instead={str(name): str(one) for name, one in record["instead"].items()},
                kind=kind,
                n_labelled=int(record["n_labelled"]),
                data_hash=str(record["data_hash"]),
                source_ndcg=_numbers(record["source_ndcg"]),
                fused_ndcg=math.nan if ndcg is None else float(ndcg),
                note=str(record["note"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"fusion weights cannot be read: {error}", "run palate fit to write them anew"
            ) from error


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in record.items()}


def prior_weights(data_hash: str = "", note: str = "") -> FusionWeights:
    """The weights that need no labels."""
    return FusionWeights(PRIOR_WITHOUT_TEXT, PRIOR_WITH_TEXT, data_hash=data_hash, note=note)


def scenes_from(learned: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Both scenes from weights learned for history sources.

    History sources that were not learned keep their prior share of the whole; the
    learned ones divide the rest in proportion. With text, the same proportions fill the
    prior's share of history.

    Args:
        learned: weight >= 0 by source, at least one > 0; no text source.

    Returns:
        ``without_text`` and ``with_text``, each adding up to 1.
    """
    total = math.fsum(learned.values())
    if total <= 0 or any(source in TEXT_SOURCES for source in learned):
        raise InvalidInput(f"learned weights {dict(learned)}", "history sources, one above 0")
    kept = {s: w for s, w in PRIOR_WITHOUT_TEXT.items() if s not in learned}
    rest = 1.0 - math.fsum(kept.values())
    without = {s: rest * w / total for s, w in learned.items()} | kept
    text = {s: w for s, w in PRIOR_WITH_TEXT.items() if s in TEXT_SOURCES}
    share = 1.0 - math.fsum(text.values())
    return without, text | {s: share * w for s, w in without.items()}
