"""A certificate as one HTML page that needs nothing beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined

from agent.fitting.certificate import Certificate, Measured, fingerprint
from agent.fitting.words import (
    duration,
    gate_sentence,
    gate_word,
    llm_sentence,
    megabytes,
    plain,
    served,
    signed,
)
from retrieval.fusion.context import STRATA, Context
from retrieval.fusion.gate import Decision, Verdict
from retrieval.fusion.weights import TEXT_SOURCES

HISTORIES = (1, 3, 10, 30, 100)
"""Lengths for which the page says what the sources weigh."""

_COMBINED = {
    "S": "what is served, each user by weights that had not seen them",
    "S with the prior": "needs no labels",
    "RRF": "reciprocal ranks, no labels",
    "CombSUM": "sum of the z-scores, no labels",
}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A mean and its interval, in percent of the common scale; ``None`` when not measured."""

    low: float
    mean: float
    width: float


@dataclass(frozen=True, slots=True)
class _Gate:
    """One gate and the figures of each stratum."""

    title: str
    question: str
    sentence: str
    decision: Decision | None

    @property
    def verdicts(self) -> list[Verdict]:
        """Of all users, then of each stratum, the shortest histories first."""
        if self.decision is None or not self.decision.strata:
            return []
        strata = sorted(self.decision.strata, key=lambda one: STRATA.index(one.name))
        return [self.decision.overall, *strata]


def certificate_page(certificate: Certificate) -> str:
    """The page as text, without scripts; all that comes from data is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "plain": plain,
        "signed": signed,
        "megabytes": megabytes,
        "duration": duration,
    }
    most = _largest(certificate)
    text = resources.files("agent.fitting").joinpath("certificate.html.j2").read_text("utf-8")
    return environment.from_string(text).render(
        c=certificate,
        served=served(certificate),
        lines=sorted(certificate.sources, key=lambda one: (-one.weight, -_or_zero(one.alone))),
        combined_why=_COMBINED,
        bar=lambda measured: _bar(measured, most),
        gates=_gates(certificate),
        gate_word=gate_word,
        histories=HISTORIES,
        moves=_moves(certificate),
        with_text=_with_text(certificate),
        weights_id=fingerprint(certificate.weights),
    )


def _gates(certificate: Certificate) -> list[_Gate]:
    mixture, adaptive, llm = certificate.mixture, certificate.adaptive, certificate.llm
    return [
        _Gate(
            "Mixture",
            f"May the mixture replace {certificate.best}, the best single source?",
            gate_sentence(mixture) if mixture else "nothing was learned",
            mixture,
        ),
        _Gate(
            "Context",
            "May weights that follow the request replace weights that are the same for all?",
            gate_sentence(adaptive) if adaptive else "too few users to show that it helps",
            adaptive,
        ),
        _Gate(
            "Language model",
            "May its judgement change the order of S?",
            llm_sentence(llm),
            llm.decision if llm else None,
        ),
    ]


def _moves(certificate: Certificate) -> list[tuple[str, list[float]]]:
    """Weights by source for each of ``HISTORIES``; empty where they are always the same."""
    weights = certificate.weights
    if not weights.slopes and not weights.instead:
        return []
    names = [line.name for line in certificate.sources]
    pictured = 0.5 if "picture" in names else 0.0
    asked = [
        weights.for_request(False, names, Context(length, 0.5, pictured)) for length in HISTORIES
    ]
    rows = [(name, [shares[name] for shares in asked]) for name in names]
    return sorted((row for row in rows if max(row[1]) >= 0.0005), key=lambda row: -sum(row[1]))


def _with_text(certificate: Certificate) -> list[tuple[str, float]]:
    """What texts weigh in requests that carry one, and the share left to all histories."""
    shares = certificate.weights.with_text
    texts = [(name, shares[name]) for name in TEXT_SOURCES if name in shares]
    rest = math.fsum(shares.values()) - math.fsum(share for _, share in texts)
    return [*texts, ("what people did", rest)]


def _bar(measured: Measured, most: float) -> _Bar | None:
    if not math.isfinite(measured.ndcg) or most <= 0:
        return None
    low, mean, high = (100 * v / most for v in (measured.low, measured.ndcg, measured.high))
    return _Bar(low, mean, high - low)


def _largest(certificate: Certificate) -> float:
    """Upper end of the scale that every interval is drawn on."""
    drawn: Iterable[Measured] = [*(s.alone for s in certificate.sources), *certificate.combined]
    return max((one.high for one in drawn if math.isfinite(one.high)), default=0.0)


def _or_zero(measured: Measured) -> float:
    return measured.ndcg if math.isfinite(measured.ndcg) else 0.0
