"""The decision of a search in words, with the numbers that it rests on."""

from __future__ import annotations

import math

from eval.optimise.report import OptimiseReport, Tried
from eval.optimise.verdict import significant
from eval.stats.paired import Comparison


def because(report: OptimiseReport) -> str:
    """One to three sentences."""
    best = report.winner
    if best is None or best.objective is None:
        return f"stopped: {report.stopped}" if report.stopped else "there was nothing to compare"
    name = best.candidate.name
    what = f"{_numbers(best.objective)} on {report.compared} questions"
    if report.stopped:
        return (
            f"stopped: {report.stopped}. Best so far is {name}, {what}; nothing is claimed. "
            "What was asked is on record: run again with a larger budget."
        )
    if report.decision == "better":
        return (
            f"{name} is better than {report.base}: {what} that the search had not seen. "
            f"{_parts(report, best)}{_what_is_proven(best)}"
        )
    return f"{_not_claimed(report, best, what)}{_needed(report)}"


def _not_claimed(report: OptimiseReport, best: Tried, what: str) -> str:
    rejected = [
        f"{one.candidate.name} is ahead of {report.base} ({_numbers(one.objective)}) but "
        f"rejected: {one.rejected}."
        for one in report.tried
        if one.rejected and one.objective is not None and significant(one, report.settings)
    ]
    told = [*rejected, f"no {'other ' if rejected else ''}prompt is significantly better"]
    if not best.rejected:
        told[-1] += (
            f" than {report.base}: the best, {best.candidate.name}, differs by {what} that the "
            f"search had not seen. {_parts(report, best)}"
        )
    else:
        told[-1] += "."
    return " ".join(told)


def _numbers(told: Comparison) -> str:
    p = "" if math.isnan(told.p_holm) else f", p = {told.p_holm:.4f} after Holm"
    return f"{told.mean:+.4f} [{told.low:+.4f}, {told.high:+.4f}]{p}"


def _parts(report: OptimiseReport, best: Tried) -> str:
    used = report.tried[0]
    if best.gain is None:
        return ""
    gain = best.gain
    parts = [
        f"NDCG@10 alone {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]",
        f"{best.tokens:,.0f} prompt tokens a question instead of {used.tokens:,.0f}",
    ]
    if best.injection is not None and used.injection is not None:
        parts.append(
            f"injection lift {best.injection['mean_lift']:.2f} places instead of "
            f"{used.injection['mean_lift']:.2f}"
        )
    return "; ".join(parts) + "."


def _what_is_proven(best: Tried) -> str:
    """Tokens saved count in the objective; a reader shall not take them for better ranks."""
    if best.gain is None or best.gain.low > 0:
        return ""
    return " What is proven counts the tokens: NDCG@10 alone is not proven better."


def _needed(report: OptimiseReport) -> str:
    settings, needed = report.settings, report.required_n
    told = []
    if needed["detect"] is not None:
        told.append(f"finding a difference of {settings.detect:g} takes {needed['detect']:,}")
    if needed["seen"] is not None:
        told.append(f"one as large as seen {needed['seen']:,}")
    if not told:
        return ""
    return f" At this spread, {', '.join(told)} unseen questions (power {settings.power:g})."
