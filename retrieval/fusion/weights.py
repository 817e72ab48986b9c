"""How much each source counts, where the numbers come from, and their JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from retrieval.errors import InvalidInput
from retrieval.fusion.context import FEATURES, STRATA, Context

TEXT_SOURCES = ("query", "lexical")

# Until labels say more; docs/decisions/0004-fusion-prior.md says why. In shares of 1: sources that
# are not there leave theirs to the others, so behaviour : profile : popular is 3 : 1 : 1.
_HISTORY_PRIOR: Mapping[str, float] = {
    "behaviour": 3, "profile": 1, "item_knn": 3, "ials": 3, "bpr": 0, "graph": 3, "markov": 3,
    "session_knn": 3, "next_item": 3, "content": 0, "picture": 0, "cold_start": 0, "popular": 1,
}  # fmt: skip
_TEXT_PRIOR: Mapping[str, float] = {"query": 0.40, "lexical": 0.25}
_TOTAL = math.fsum(_HISTORY_PRIOR.values())

SOURCES = (*_HISTORY_PRIOR, *_TEXT_PRIOR)
PRIOR_WITHOUT_TEXT: Mapping[str, float] = {
    source: weight / _TOTAL for source, weight in _HISTORY_PRIOR.items() if weight
}
PRIOR_WITH_TEXT: Mapping[str, float] = {
    **_TEXT_PRIOR,
    **{
        source: (1 - math.fsum(_TEXT_PRIOR.values())) * weight
        for source, weight in PRIOR_WITHOUT_TEXT.items()
    },
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
        llm: λ by ``llm_key``, where a fit asked that model; 0 = its gate is closed.
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
    llm: Mapping[str, float] = field(default_factory=dict)
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
        for key, weight in self.llm.items():
            if not 0 <= weight < math.inf:
                raise InvalidInput(f"λ = {weight} of {key!r}", "λ is finite and >= 0")
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
                llm=_numbers(record["llm"]),
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


def llm_key(model_id: str, prompt: str) -> str:
    """Names a model with the prompt that it judges by, e.g. ``qwen rerank@1``."""
    return f"{model_id} {prompt}"


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in record.items()}


def prior_weights(data_hash: str = "", note: str = "") -> FusionWeights:
    """The weights that need no labels."""
    return FusionWeights(PRIOR_WITHOUT_TEXT, PRIOR_WITH_TEXT, data_hash=data_hash, note=note)


def scenes_from(learned: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Both scenes from weights learned for sources that read no text.

    A source that was not learned gets nothing: it has not earned a weight. With text, the
    learned proportions fill what the text sources' prior leaves.

    Args:
        learned: weight >= 0 by source, at least one > 0; no text source.

    Returns:
        ``without_text`` and ``with_text``, each adding up to 1.
    """
    total = math.fsum(learned.values())
    if total <= 0 or any(source in TEXT_SOURCES for source in learned):
        raise InvalidInput(f"learned weights {dict(learned)}", "history sources, one above 0")
    without = {source: weight / total for source, weight in learned.items()}
    share = 1.0 - math.fsum(_TEXT_PRIOR.values())
    return without, {**_TEXT_PRIOR, **{s: share * weight for s, weight in without.items()}}
