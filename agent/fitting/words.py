"""What a certificate says, in sentences: the same on its page and in the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from agent.fitting.certificate import Certificate, LlmGate
from retrieval.fusion.context import STRATA
from retrieval.fusion.gate import PROVEN_FROM, Decision


@dataclass(frozen=True, slots=True)
class Served:
    """What answers requests now.

    Attributes:
        word: a few words.
        sentence: with the gain and what it rests on.
        proven: whether the gain over the best single source is above 0 beyond doubt.
    """

    word: str
    sentence: str
    proven: bool


def served(certificate: Certificate) -> Served:
    """What the weights of this certificate do to a request without text."""
    found, best = certificate.mixture, certificate.best
    if found is None:
        why = certificate.weights.note or "nothing was learned"
        return Served("The prior ranks", f"Nothing was learned: {why}.", False)
    whole = found.overall
    apart = f"{signed(whole.after - whole.before)} in NDCG@10 against {best}"
    if not found.opened:
        return Served(
            f"{best} ranks alone",
            f"No mixture replaces the best single source: {whole.because}; the mixture has "
            f"{apart}, lower bound {signed(whole.bound)}, on {whole.n:,} users.",
            False,
        )
    on = sum(line.on for line in certificate.sources)
    word = f"A mixture of {on} sources ranks" if on > 1 else "One source ranks, by learned weights"
    gain = certificate.gain
    relative = f", {signed(gain.ndcg / whole.before * 100, 1)}\u00a0%" if whole.before > 0 else ""
    proven = whole.n >= PROVEN_FROM and whole.bound > 0
    ground = (
        f"proven on {whole.n:,} users whom the weights had not seen"
        if proven
        else f"not proven: {whole.n:,} users, {PROVEN_FROM:,} are needed"
    )
    return Served(
        word,
        f"It {'gains' if gain.ndcg >= 0 else 'has'} {signed(gain.ndcg)} in NDCG@10 "
        f"{'over' if gain.ndcg >= 0 else 'against'} {best}, the best single source "
        f"(95\u00a0% interval {signed(gain.low)} … {signed(gain.high)}{relative}); {ground}.",
        proven,
    )


def gate_word(decision: Decision) -> Literal["open", "closed", "open in part"]:
    """Where the replacement is let through."""
    if not decision.opened:
        return "closed"
    return "open in part" if decision.closed_in else "open"


def gate_sentence(decision: Decision) -> str:
    """Why the gate is as it is over all users, and the histories that it leaves out."""
    whole = decision.overall
    text = (
        f"{whole.because} ({plain(whole.before)} → {plain(whole.after)}, "
        f"lower bound of the gain {signed(whole.bound)}, {whole.n:,} users)"
    )
    left = ", ".join(sorted(decision.closed_in, key=STRATA.index))
    return f"{text}; closed for histories of {left}" if left else text


def llm_sentence(gate: LlmGate | None) -> str:
    """Whether a language model may change the order, and how much it costs."""
    if gate is None:
        return "no language model was measured in this fit"
    use = f"λ = {gate.weight:.3g}" if gate.weight > 0 else "λ = 0, so the model is not asked"
    return (
        f"{gate_sentence(gate.decision)}; {use}; {gate.model} with {gate.prompt}, "
        f"{gate.users:,} users in {gate.seconds:,.0f} s"
    )


def plain(value: float, places: int = 4) -> str:
    """A figure without a sign; – where nothing was measured."""
    return f"{value:.{places}f}" if math.isfinite(value) else "–"


def signed(value: float, places: int = 4) -> str:
    """A difference; – where nothing was measured."""
    return f"{value:+.{places}f}".replace("-", "−") if math.isfinite(value) else "–"


def megabytes(size: int) -> str:
    """Bytes as MB."""
    if not size:
        return "0"
    return "<0.1" if size < 50_000 else f"{size / 1e6:,.1f}"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"
