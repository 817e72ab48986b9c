"""What a fit found, in full: the record that served weights must agree with."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from retrieval.errors import InvalidInput
from retrieval.fusion.gate import Decision, Verdict
from retrieval.fusion.weights import FusionWeights

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """NDCG@10 over the labelled users, with its 95 % interval; NaN without users."""

    name: str
    ndcg: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source by itself.

    Attributes:
        name: as in ``parts``.
        alone: what it finds alone.
        weight: its share of S without text and context, in [0, 1].
        seconds: that its fit took, on the past only.
        bytes: of what it learned.
        because: why it counts, or why it is switched off.
    """

    name: str
    alone: Measured
    weight: float
    seconds: float
    bytes: int
    because: str

    @property
    def on(self) -> bool:
        """Whether it counts at all."""
        return self.weight > 0


@dataclass(frozen=True, slots=True)
class LlmGate:
    """What the language model adds to S on the labelled users who were asked about.

    Attributes:
        model: its id.
        prompt: that it was asked with, e.g. ``rerank@1``.
        weight: λ that is served; 0 = the gate is closed and the model is not asked.
        users: asked about.
        seconds: that asking took.
        decision: F against S.
    """

    model: str
    prompt: str
    weight: float
    users: int
    seconds: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class Certificate:
    """One fit.

    Attributes:
        made_at: ISO 8601.
        data_hash: state of the stores at the fit.
        seed: of samples, folds and resampling.
        cut: instant that separates past from labels, ISO 8601; "" for a log without spread.
        share_after: of the events, later than the cut.
        users: labelled users that were measured.
        trainable: of these, the ones with a positive in their pool; only they train.
        recall: mean share of a user's positives that the pool held.
        per_source: best of each source that make the pool.
        sources: each alone.
        combined: S, and other ways to combine the same pools.
        gain: S minus the best single source, paired by user.
        best: name of that source.
        mixture: the gate of S against it; ``None`` where nothing was learned.
        adaptive: the gate of weights that the context moves; ``None`` where not asked.
        llm: the gate of F against S; ``None`` where no model was asked.
        weights: that are served.
        notes: what was switched off, and what else a reader should know.
    """

    made_at: str
    data_hash: str
    seed: int
    cut: str
    share_after: float
    users: int
    trainable: int
    recall: float
    per_source: int
    sources: tuple[SourceLine, ...]
    combined: tuple[Measured, ...]
    gain: Measured
    best: str
    mixture: Decision | None
    adaptive: Decision | None
    llm: LlmGate | None
    weights: FusionWeights
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """Readable JSON; NaN and infinity become null. Ends with two hashes.

        One is of the weights that it certifies, the other of all that stands before it.
        """
        record = {name: _plain(getattr(self, name)) for name in (f.name for f in fields(self))}
        record["weights"] = json.loads(self.weights.to_json())
        record["weights_sha256"] = fingerprint(self.weights)
        whole = {"format": FORMAT, **record}
        whole["sha256"] = _digest(whole)
        return json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """The inverse of ``to_json``; it checks nothing, see ``check_certificate``.

        Raises:
            InvalidInput: it cannot be read.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            given = {one.name: record[one.name] for one in fields(cls)}
            lines = [{**one, "alone": _measured(one["alone"])} for one in record["sources"]]
            llm = record["llm"]
            return cls(
                **{
                    **given,
                    "recall": _number(record["recall"]),
                    "sources": tuple(SourceLine(**one) for one in lines),
                    "combined": tuple(_measured(one) for one in record["combined"]),
                    "gain": _measured(record["gain"]),
                    "mixture": _decision(record["mixture"]),
                    "adaptive": _decision(record["adaptive"]),
                    "llm": llm and LlmGate(**{**llm, "decision": _decision(llm["decision"])}),
                    "weights": FusionWeights.from_json(json.dumps(record["weights"])),
                    "notes": tuple(record["notes"]),
                }
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"the certificate cannot be read: {error}", "run palate fit again"
            ) from error


def fingerprint(weights: FusionWeights) -> str:
    """SHA-256 of the weights as they are saved."""
    return hashlib.sha256(weights.to_json().encode()).hexdigest()


def check_certificate(text: str, weights: FusionWeights) -> Mapping[str, Any]:
    """The record, once it is certain that these weights are what it certifies.

    Raises:
        InvalidInput: it cannot be read, was changed, or certifies other weights or other data.
    """
    again = "run palate fit again"
    try:
        record: Mapping[str, Any] = json.loads(text)
        found, certified = record["weights_sha256"], json.dumps(record["weights"])
        of_data, made, whole = record["data_hash"], record["format"], record["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"the certificate cannot be read: {error}", again) from error
    if made != FORMAT:
        raise InvalidInput(f"the certificate has format {made!r}, not {FORMAT}", again)
    if whole != _digest({name: one for name, one in record.items() if name != "sha256"}):
        raise InvalidInput("the certificate was changed after it was written", again)
    if found != fingerprint(weights) or fingerprint(FusionWeights.from_json(certified)) != found:
        raise InvalidInput("the certificate is of other fusion weights", again)
    if of_data != weights.data_hash:
        raise InvalidInput("the certificate is of other data than the fusion weights", again)
    return record


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _number(value: float | None, missing: float = math.nan) -> float:
    return missing if value is None else value


def _measured(record: Mapping[str, Any]) -> Measured:
    ndcg, low, high = (_number(record[name]) for name in ("ndcg", "low", "high"))
    return Measured(record["name"], ndcg, low, high)


def _decision(record: Mapping[str, Any] | None) -> Decision | None:
    if record is None:
        return None
    return Decision(_verdict(record["overall"]), tuple(map(_verdict, record["strata"])))


def _verdict(record: Mapping[str, Any]) -> Verdict:
    means = {name: _number(record[name]) for name in ("before", "after")}
    return Verdict(**{**record, **means, "bound": _number(record["bound"], -math.inf)})


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(one) for key, one in asdict(value).items()}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
