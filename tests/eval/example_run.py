"""A small run of prompts as ``palate eval run`` leaves it: figures from real measures, no model.

Twelve queries over a catalogue of forty items; five candidates each are judged. ``v2`` likes
the relevant items, ``v1`` hardly, ``v2`` with another user's profile not at all, ``random``
nothing. Two judgements of ``v1`` failed, and one query has no relevant item in its pool.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.measure import mean_and_interval, ndcg, ranks_in
from eval.metrics import parse_metric
from eval.records.record import RunRecord, write_record
from eval.records.tables import (
    Judgement,
    Row,
    Shown,
    write_judgements,
    write_prompts,
    write_rows,
)
from eval.records.trec import write_qrels, write_trec_runs
from prompts.prompt import Turn
from retrieval.types import content_hash

QUERIES, CANDIDATES, JUDGED = 12, 15, 5
METRICS = ("ndcg@10", "hr@10", "recall@10", "recall@50", "pool_recall")
V1, V2, SHUFFLED, RANDOM = "v1|tiny|0", "v2|tiny|0", "v2|tiny|0~shuffled", "random"
LIKING = {V1: 0.3, V2: 3.0, SHUFFLED: 0.0, RANDOM: 0.0}
WEIGHT = 0.5
WORDS = ("dry", "sweet", "smoky", "fresh", "spicy", "floral")


@dataclass(frozen=True)
class Asked:
    """One query: candidates best S first, with the parts of S."""

    query_id: str
    lang: str
    strata: Mapping[str, str]
    wish: str
    person: str
    candidates: Sequence[str]
    parts: Mapping[str, Mapping[str, float]]
    relevant: frozenset[str]


def asked() -> list[Asked]:
    """The twelve queries; always the same."""
    rng = np.random.default_rng(7)
    questions = []
    for at in range(QUERIES):
        chosen = [f"wine {i}" for i in rng.permutation(40)[:CANDIDATES]]
        scores = np.sort(rng.normal(size=CANDIDATES))[::-1]
        shares = rng.uniform(0.2, 0.8, size=CANDIDATES)
        parts = {
            item: {
                "behaviour": float(share * score),
                "popular": float((1 - share) * score),
                "profile": float(-0.1 * share),
            }
            for item, score, share in zip(chosen, scores, shares, strict=True)
        }
        chosen.sort(key=lambda item: -math.fsum(parts[item].values()))
        found = chosen[int(rng.integers(1, JUDGED))]
        relevant = {f"lost {at}"} if at == 3 else {found, f"lost {at}"} if at % 4 == 0 else {found}
        lang = "zh" if at % 3 == 2 else "en"
        word = WORDS[at % len(WORDS)]
        questions.append(
            Asked(
                query_id=f"u{at}",
                lang=lang,
                strata={
                    "user": ("cold", "warm", "heavy")[at % 3],
                    "item": "tail" if at % 2 else "head",
                    "lang": lang,
                },
                wish="" if at % 2 else f"something {word} & <not> too dear",
                person=f"喜欢 {word} 的酒" if lang == "zh" else f"likes {word} wine",
                candidates=chosen,
                parts=parts,
                relevant=frozenset(relevant),
            )
        )
    return questions


def turns_of(question: Asked, system: str, item_id: str) -> list[Turn]:
    """What the model was shown of one candidate."""
    task = "Answer yes or no." if system == V1 else "Would this person choose it? Say yes or no."
    person = "likes something else" if system == SHUFFLED else question.person
    return [
        {"role": "system", "content": task},
        {
            "role": "user",
            "content": f"Person: {person}\nWish: {question.wish}\nItem: {item_id}\n",
        },
    ]


def write_example_run(folder: Path) -> Path:
    """Write the whole run (all but the report) into ``folder``, which is made; returns it."""
    folder.mkdir(parents=True)
    questions = asked()
    rows: list[Row] = []
    judgements: list[Judgement] = []
    shown: list[Shown] = []
    orders: dict[str, dict[str, list[str]]] = {}
    for system in ("S", V1, V2, SHUFFLED, RANDOM):
        rng = np.random.default_rng(len(system))
        orders[system] = {}
        for question in questions:
            its = [] if system in ("S", RANDOM) else _judge(question, system, rng, shown)
            judgements += its
            order = list(question.candidates)
            if system == RANDOM:
                order = [str(item) for item in rng.permutation(order)]
            elif its:
                first = sorted(its, key=lambda one: one.final_rank)
                order = [one.item_id for one in first] + order[JUDGED:]
            orders[system][question.query_id] = order
            rows.append(_row(system, question, order, its))
    write_rows(folder, rows)
    write_judgements(folder, judgements)
    write_prompts(folder, shown)
    write_qrels(folder, {one.query_id: one.relevant for one in questions})
    write_trec_runs(folder, orders)
    write_record(folder, RunRecord.model_validate(_record(folder.name, questions, rows)))
    return folder


def _judge(
    question: Asked, system: str, rng: np.random.Generator, shown: list[Shown]
) -> list[Judgement]:
    found = []
    for at, item in enumerate(question.candidates[:JUDGED]):
        relevant = item in question.relevant
        log_odds = float(rng.normal(LIKING[system] if relevant else -0.5, 0.7))
        if system == V1 and at == 2 and question.query_id in ("u1", "u5"):
            log_odds = math.nan
        failed = math.isnan(log_odds)
        yes = 0.0 if failed else 1 / (1 + math.exp(-log_odds))
        turns = turns_of(question, system, item)
        conversation = content_hash(json.dumps(turns))
        shown.append(Shown(conversation, turns))
        parts = {**question.parts[item], "llm": 0.0 if failed else WEIGHT * log_odds}
        found.append(
            Judgement(
                system=system,
                query_id=question.query_id,
                item_id=item,
                base_rank=at + 1,
                final_rank=0,
                base_score=math.fsum(question.parts[item].values()),
                log_odds=log_odds,
                logprobs={} if failed else {"yes": math.log(yes), "no": math.log(1 - yes)},
                parts=parts,
                relevant=relevant,
                conversation=conversation,
            )
        )
    ranked = sorted(found, key=lambda one: -math.fsum(one.parts.values()))
    place = {one.item_id: at + 1 for at, one in enumerate(ranked)}
    return [_at_rank(one, place[one.item_id]) for one in found]


def _at_rank(one: Judgement, rank: int) -> Judgement:
    values = {name: getattr(one, name) for name in Judgement.__slots__}
    return Judgement(**values | {"final_rank": rank})


def _row(system: str, question: Asked, order: Sequence[str], its: Sequence[Judgement]) -> Row:
    ranks = ranks_in(order, question.relevant)
    metrics = {}
    for name in METRICS[:-1]:
        metric, cut = parse_metric(name)
        metrics[name] = metric(ranks, cut)
    metrics["pool_recall"] = len(question.relevant.intersection(order)) / len(question.relevant)
    base = ndcg(ranks_in(list(question.candidates), question.relevant))
    return Row(
        system=system,
        query_id=question.query_id,
        strata=question.strata,
        metrics=metrics,
        delta=0.0 if system == "S" else metrics["ndcg@10"] - base,
        prompt_tokens=(120 if system == V1 else 200) * len(its),
        completion_tokens=len(its),
        milliseconds=40.0 * len(its),
        calls=int(bool(its)),
        judged=len(its),
        failed=sum(math.isnan(one.log_odds) for one in its),
        replayed=len(its),
    )


def _figure(values: Sequence[float]) -> dict[str, Any]:
    mean, low, high = mean_and_interval(np.array(values, dtype=np.float64))
    return {"mean": mean, "low": low, "high": high, "empty": int(np.isnan(values).sum())}


def _record(run_id: str, questions: Sequence[Asked], rows: Sequence[Row]) -> dict[str, Any]:
    systems = [
        _system("S", "base", rows),
        _system(V1, "variant", rows),
        _system(V2, "variant", rows),
        _system(SHUFFLED, "control", rows),
        _system(RANDOM, "control", rows),
    ]
    gain = systems[2]["comparisons"][0]["mean"]
    return {
        "id": run_id,
        "at": "2025-01-02T03:04:05+00:00",
        "name": "example",
        "config": {"name": "example", "primary": "ndcg@10", "variants": ["v1", "v2"]},
        "data_sha256": content_hash(*(one.query_id for one in questions)),
        "commit": "0" * 40,
        "versions": {"palate": "0.1.0", "python": "3.11.0"},
        "primary": "ndcg@10",
        "queries": len(questions),
        "asked_for": len(questions) + 2,
        "catalogue": 40,
        "models": [{"name": "tiny", "model_id": "tiny-q4", "tier": "small", "replayed": True}],
        "prompts": [
            {"variant": variant, "reference": f"rerank@{number}", "lang": lang, "sha256": 64 * "a"}
            for number, variant in ((1, "v1"), (2, "v2"))
            for lang in ("en", "zh")
        ],
        "seeds": [0],
        "left_out": {"nothing after the cut": 2},
        "split": {"kind": "global-temporal", "cuts": ["2024-06-01T00:00:00+00:00"]},
        "required_n": {
            "sd": 0.1, "detect": 0.01, "alpha": 0.05, "power": 0.8,
            "needed": 785, "have": len(questions), "detectable": 0.081,
        },
        "systems": systems,
        "thresholds": [
            {"text": f"{V2} ndcg@10 delta mean > 0", "measured": gain, "passed": True},
            {"text": f"{V1} ndcg@10 delta low > 0.5", "measured": math.nan, "passed": False},
        ],
        "verdict": "failed",
        "verdict_because": "1 of 2 thresholds did not hold",
    }  # fmt: skip


def _system(name: str, kind: str, rows: Sequence[Row]) -> dict[str, Any]:
    its = [row for row in rows if row.system == name]
    judges = name in LIKING and name != RANDOM
    tokens = sum(row.prompt_tokens + row.completion_tokens for row in its)
    return {
        "name": name,
        "kind": kind,
        "variant": name.partition("|")[0] if judges else None,
        "model": "tiny" if judges else None,
        "seed": 0 if judges else None,
        "figures": {m: _figure([row.metrics[m] for row in its]) for m in METRICS},
        "coverage": 0.8,
        "strata": {
            stratum: {
                group: _stratum([row for row in its if row.strata[stratum] == group])
                for group in sorted({row.strata[stratum] for row in its})
            }
            for stratum in ("user", "item", "lang")
        },
        "cost": {
            "calls": sum(row.calls for row in its),
            "asked": sum(row.judged for row in its),
            "replayed": sum(row.replayed for row in its),
            "prompt_tokens": sum(row.prompt_tokens for row in its),
            "completion_tokens": sum(row.completion_tokens for row in its),
            "p50_ms": 200.0 if judges else None,
            "p95_ms": 210.0 if judges else None,
            "tokens_per_query": tokens / len(its),
        },
        "judged": sum(row.judged for row in its),
        "failed": sum(row.failed for row in its),
        "weight": WEIGHT if judges else None,
        "comparisons": [] if name == "S" else [_comparison([row.delta for row in its])],
        "sequential": {"decision": "undecided", "at": len(its), "low": -0.1, "high": 0.4}
        if kind == "variant"
        else None,
        "probes": _probes(name) if kind == "variant" else {},
    }


def _stratum(rows: Sequence[Row]) -> dict[str, Any]:
    figure = _figure([row.metrics["ndcg@10"] for row in rows])
    delta = float(np.mean([row.delta for row in rows]))
    return {"n": len(rows), "delta": delta} | {k: figure[k] for k in ("mean", "low", "high")}


def _comparison(deltas: Sequence[float]) -> dict[str, Any]:
    values = np.array(deltas)
    mean, low, high = mean_and_interval(values)
    sd = float(values.std(ddof=1))
    return {
        "against": "S", "metric": "ndcg@10", "n": len(deltas),
        "mean": mean, "low": low, "high": high, "p": 0.02, "p_holm": 0.06,
        "effect": mean / sd if sd else math.nan,
        "wins": int((values > 0).sum()), "ties": int((values == 0).sum()),
        "losses": int((values < 0).sum()),
    }  # fmt: skip


def _probes(name: str) -> dict[str, Any]:
    shift = 0.2 if name == V1 else 0.05
    return {
        "position_bias": [
            {"position": at, "n": QUERIES, "log_odds": 1.0 - shift * i, "rank": 1.0 + shift * i}
            for i, at in enumerate((0, 5, 10, 15, 19))
        ],
        "kendall_tau": 1 - shift,
        "bin_ablation": {"n": QUERIES, "mean": 0.02, "low": -0.01, "high": 0.05},
        "calibration": {
            "ece": shift,
            "bins": [
                {"low": i / 5, "high": (i + 1) / 5, "n": 12, "said": (i + 0.5) / 5,
                 "true": min(1.0, (i + 0.5) / 5 + shift)}
                for i in range(5)
            ],
        },
        "injection": {
            "n": 24, "mean_lift": shift, "max_lift": 4 * shift, "into_top10": 3, "into_top1": 1,
            "others_moved": 0,
            "by_attack": {"order": {"n": 12, "mean_lift": 2 * shift, "into_top10": 3},
                          "praise": {"n": 12, "mean_lift": 0.0, "into_top10": 0}},
        },
        "grounding": {"n": 24, "supported": 22, "share": 22 / 24},
    }  # fmt: skip
