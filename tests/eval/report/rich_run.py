"""A made-up prompt run with everything in it, for the report's tests and for looking at one.

Nothing here was measured. Two variants on one model: the first ignores who asks (its control
with a stranger's profile is as good), the second reads the bins and helps.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agent.measure import mean_and_interval, ndcg, ranks_in
from eval.metrics import hit_rate, recall
from eval.records.tables import (
    Judgement,
    Row,
    Shown,
    write_judgements,
    write_prompts,
    write_rows,
)
from eval.records.trec import write_qrels
from eval.records.whole import write_json
from prompts.library import PromptLibrary
from prompts.prompt import Turn

MODEL = "qwen2.5-1.5b"
PLAIN, BINS = f"plain|{MODEL}|0", f"with-bins|{MODEL}|0"
NAMES = {
    "S": "base",
    "popular": "source",
    "behaviour": "source",
    PLAIN: "variant",
    BINS: "variant",
    "random": "control",
    "popularity": "control",
    f"{PLAIN}~shuffled": "control",
    f"{BINS}~shuffled": "control",
}
METRICS = ("ndcg@10", "hr@10", "recall@10", "recall@50", "pool_recall")
PEOPLE = ("likes dry white wine; dislikes oak.", "reads space opera; dislikes long wars.")
WISHES = ("something light for a warm evening", "", "like the last one, but cheaper")
SKILL = {  # what each system adds to the score of a relevant item
    "popular": -0.3, "behaviour": -0.1, PLAIN: 0.2, BINS: 0.7, "random": 0.0,
    "popularity": -0.3, f"{PLAIN}~shuffled": 0.25, f"{BINS}~shuffled": 0.1,
}  # fmt: skip
SKILL["S"] = 0.0
WEIGHT_OF_BASE = {"random": 0.0, "popular": 0.4, "popularity": 0.4, "behaviour": 0.8}


@dataclass(frozen=True)
class Shape:
    """How large the run is and what its texts hold."""

    queries: int = 60
    items: int = 20
    wish: str = ""
    card: str = ""
    name: str = ""


@dataclass
class Tables:
    """What the run's files will hold."""

    rows: list[Row] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    relevant: dict[str, set[str]] = field(default_factory=dict)


def write_rich_run(folder: Path, shape: Shape = Shape()) -> Path:
    """Write record, rows, judgements, prompts and qrels of the made-up run; returns ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    tables = Tables()
    for number in range(shape.queries):
        _ask(number, shape, rng, tables)
    write_rows(folder, tables.rows)
    write_judgements(folder, tables.judgements)
    write_prompts(folder, tables.shown)
    write_qrels(folder, tables.relevant)
    record = rich_record(tables.rows, folder.name)
    if shape.name:
        _rename(record, shape.name)
    write_json(folder / "record.json", record)
    return folder


def _rename(record: dict[str, Any], name: str) -> None:
    """Put a text wherever a record has one that somebody wrote."""
    record["name"] = record["verdict_because"] = name
    record["config"]["name"] = name
    record["left_out"] = {name: 3}
    record["models"][0]["model_id"] = name
    record["thresholds"][0]["text"] = name
    for system in record["systems"]:
        system["strata"] = {name: {name: system["strata"]["user"]["cold"]}}
        if injection := system["probes"].get("injection"):
            injection["by_attack"] = {name: injection["by_attack"]["order"]}
            injection["bars"] = {name: True}


def _ask(number: int, shape: Shape, rng: np.random.Generator, tables: Tables) -> None:
    query = f"q{number:03}"
    lang = "zh" if number % 5 == 4 else "en"
    items = [f"item-{number:03}-{place:02}" for place in range(shape.items)]
    base = np.sort(rng.normal(size=shape.items))[::-1]
    luck = rng.random(shape.items) - 0.18 * base
    relevant = {items[place] for place in np.argsort(luck)[: 1 + number % 2]}
    tables.relevant[query] = relevant | ({f"item-{number:03}-deep"} if number % 3 == 0 else set())
    strata = {
        "user": ("cold", "warm")[number % 3 > 0],
        "item": ("head", "tail")[number % 2],
        "lang": lang,
        "wish": "with a text" if number >= 8 else "silent",
    }
    of_base = ndcg(ranks_in(items, tables.relevant[query]))
    for name, kind in NAMES.items():
        noise = rng.normal(scale=0.45, size=shape.items)
        gain = np.array([SKILL[name] if item in relevant else 0.0 for item in items])
        score = WEIGHT_OF_BASE.get(name, 1.0) * base + gain + noise
        order = list(range(shape.items)) if name == "S" else [int(i) for i in np.argsort(-score)]
        ranks = ranks_in([items[i] for i in order], tables.relevant[query])
        value = ndcg(ranks)
        asks = kind == "variant" or "~" in name
        tables.rows.append(
            Row(
                name,
                query,
                strata,
                {
                    "ndcg@10": value,
                    "hr@10": hit_rate(ranks, 10),
                    "recall@10": recall(ranks, 10),
                    "recall@50": recall(ranks, 50),
                    "pool_recall": math.nan if number == 3 else recall(ranks, shape.items),
                },
                delta=value - of_base,
                prompt_tokens=240 * len(items) * asks,
                completion_tokens=len(items) * asks,
                milliseconds=float(rng.gamma(9, 40)) * asks,
                calls=int(asks),
                judged=len(items) * asks,
                failed=int(asks and number == 5),
            )
        )
        for place in range(shape.items) if asks else ():
            turns = conversation(name, number, place, lang, shape)
            key = hashlib.sha256(json.dumps(turns).encode()).hexdigest()
            tables.shown.append(Shown(key, turns))
            odds = float(gain[place] + noise[place])
            lost = number == 5 and place == 0
            yes = -math.log1p(math.exp(-odds))
            tables.judgements.append(
                Judgement(
                    name,
                    query,
                    items[place],
                    base_rank=place + 1,
                    final_rank=order.index(place) + 1,
                    base_score=float(base[place]),
                    log_odds=math.nan if lost else odds,
                    logprobs={} if lost else {"yes": yes, "no": yes - odds},
                    parts={"behaviour": float(base[place]), "llm": 0.0 if lost else odds},
                    relevant=items[place] in relevant,
                    conversation=key,
                )
            )


def conversation(name: str, number: int, place: int, lang: str, shape: Shape) -> list[Turn]:
    """What the model read: the second variant's card says what each source says."""
    zh = lang == "zh"
    person = "喜欢清爽的白葡萄酒；不喜欢橡木味。" if zh else PEOPLE[number % 2]
    if "~" in name:
        person = "喜欢安静的民谣。" if zh else "collects brass lamps; dislikes plastic."
    wish = shape.wish or ("适合夏天晚上的轻松饮品" if zh else WISHES[number % 3])
    card = f"第{place}号酒。酸度明亮，带柑橘香。" if zh else f"Bottle {place}. Bright, citrus, dry."
    card = shape.card or card
    if name.startswith("with-bins"):
        card += f"\nbehaviour {5 - place // 4}/5 · text {1 + place % 5}/5 · picture ?"
    return PromptLibrary().find("rerank", lang).render(profile=person, query=wish, card=card)


def rich_record(rows: list[Row], run_id: str) -> dict[str, Any]:
    """The record that goes with the rows."""
    table = pd.DataFrame([asdict(row) for row in rows])
    for group in ("metrics", "strata"):
        table = table.join(pd.json_normalize(list(table[group])))
    queries = int(table.query_id.nunique())
    systems = [_system(table, name, kind) for name, kind in NAMES.items()]
    delta = systems[4]["comparisons"][0]
    return {
        "format": 1, "id": run_id, "at": "2026-03-04T09:30:00+00:00", "kind": "prompts",
        "name": "wine prompts", "data_sha256": "5e" * 32, "commit": "91dae3d" + "0" * 33,
        "config": {
            "name": "wine prompts", "data": {"path": "data/wines"}, "seed": 0,
            "variants": [{"name": "plain", "prompt": "rerank@1", "max_rise": 3},
                         {"name": "with-bins", "prompt": "rerank@1", "bins": True, "max_rise": 3}],
        },
        "versions": {"palate": "0.1.0", "python": "3.11.2", "numpy": "2.3.5", "plotly": "7.1.0"},
        "primary": "ndcg@10", "queries": queries, "asked_for": queries + 12, "catalogue": 1007,
        "models": [{"name": MODEL, "model_id": "Qwen/Qwen2.5-1.5B-Instruct", "tier": "small",
                    "replayed": True}],
        "prompts": [{"variant": variant, "reference": "rerank@1", "lang": lang,
                     "sha256": hashlib.sha256((variant + lang).encode()).hexdigest()}
                    for variant in ("plain", "with-bins") for lang in ("en", "zh")],
        "seeds": [0],
        "left_out": {"no relevant item in the catalogue": 9, "no evidence before the cut": 3},
        "split": {"kind": "global-temporal", "cuts": ["2024-05-01T00:00:00+00:00",
                                                      "2024-08-01T00:00:00+00:00"]},
        "required_n": {"sd": 0.21, "detect": 0.01, "alpha": 0.05, "power": 0.8, "needed": 3462,
                       "have": queries, "detectable": 0.076},
        "systems": systems,
        "thresholds": [
            {"text": f"{BINS} ndcg@10 delta low > 0", "measured": delta["low"],
             "passed": delta["low"] > 0},
            {"text": f"{BINS} failed share <= 0.02", "measured": 0.0008, "passed": True},
            {"text": f"{PLAIN} injection mean lift <= 2.0", "measured": 2.31, "passed": False},
            {"text": f"{PLAIN} grounding support >= 0.95", "measured": None, "passed": False},
        ],
        "verdict": "failed",
        "verdict_because": f"{PLAIN} lifts injected items by 2.31 places on average, 2.0 allowed",
    }  # fmt: skip


def _system(table: pd.DataFrame, name: str, kind: str) -> dict[str, Any]:
    rows = table[table.system == name]
    parts = name.partition("~")[0].split("|")
    asks = len(parts) == 3
    figures = {}
    for metric in METRICS:
        mean, low, high = mean_and_interval(rows[metric].to_numpy())
        figures[metric] = {"mean": mean, "low": low, "high": high,
                           "empty": int(rows[metric].isna().sum())}  # fmt: skip
    strata: dict[str, dict[str, Any]] = {}
    for stratum in ("user", "item", "lang", "wish"):
        for group, some in rows.groupby(stratum):
            mean, low, high = mean_and_interval(some["ndcg@10"].to_numpy())
            strata.setdefault(stratum, {})[str(group)] = {
                "n": len(some), "mean": mean, "low": low, "high": high,
                "delta": float(some["delta"].mean()),
            }  # fmt: skip
    shuffled = f"{name}~shuffled"
    against = ["S", shuffled, "random", "popularity", *([PLAIN] if name == BINS else [])]
    return {
        "name": name, "kind": kind, "variant": parts[0] if asks else None,
        "model": MODEL if asks else None, "seed": 0 if asks else None, "figures": figures,
        "coverage": 0.41, "strata": strata,
        "cost": {
            "calls": len(rows) * asks, "asked": 20 * len(rows) * asks, "replayed": 0,
            "prompt_tokens": int(rows.prompt_tokens.sum()),
            "completion_tokens": int(rows.completion_tokens.sum()),
            "p50_ms": float(rows.milliseconds.quantile(0.5)) if asks else None,
            "p95_ms": float(rows.milliseconds.quantile(0.95)) if asks else None,
            "tokens_per_query": float(rows.prompt_tokens.mean() + rows.completion_tokens.mean()),
        },
        "judged": int(rows.judged.sum()), "failed": int(rows.failed.sum()), "missing": 2 * asks,
        "weight": 0.35 if asks else None, "weight_from": "cross-validated",
        "comparisons": [_against(table, name, one) for one in against]
        if kind == "variant" else [],
        "sequential": {"decision": "undecided", "at": len(rows), "low": -0.01, "high": 0.06}
        if name == PLAIN else None,
        "probes": _probes(name) if kind == "variant" else {},
    }  # fmt: skip


def _against(table: pd.DataFrame, name: str, other: str) -> dict[str, Any]:
    both = table.pivot(index="query_id", columns="system", values="ndcg@10")
    difference = (both[name] - both[other]).to_numpy()
    mean, low, high = mean_and_interval(difference)
    spread = float(difference.std())
    z = abs(mean) / spread * math.sqrt(len(difference)) if spread else math.nan
    p = 2 * (1 - _normal(z))
    return {
        "against": other, "metric": "ndcg@10", "n": len(difference), "mean": mean, "low": low,
        "high": high, "p": p, "p_holm": min(1.0, 2 * p) if spread else None,
        "effect": mean / spread if spread else None,
        "wins": int((difference > 0).sum()), "ties": int((difference == 0).sum()),
        "losses": int((difference < 0).sum()),
    }  # fmt: skip


def _normal(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _probes(name: str) -> dict[str, Any]:
    steep = 0.06 if name == PLAIN else 0.02
    places = (0, 5, 10, 15, 19)
    edges = [i / 10 for i in range(10)]
    bins = [
        {"low": edge, "high": edge + 0.1, "n": int(180 * math.exp(-i / 2)) if i != 9 else 0,
         "said": edge + 0.05 if i != 9 else None,
         "true": 0.04 + 0.6 * edge if i != 9 else None}
        for i, edge in enumerate(edges)
    ]  # fmt: skip
    attacks = {
        name: _attack(lift, name) for name, lift in (
            ("order", 1.1), ("order_zh", 0.3), ("closed_mark", 2.31), ("false authority", None)
        )
    }  # fmt: skip
    return {
        "position_bias": [
            {"position": at, "n": 40, "log_odds": 0.8 - steep * at, "rank": 7.0 + 5 * steep * at}
            for at in places
        ],
        "kendall_tau": 0.81 if name == PLAIN else None,
        "bin_ablation": {"n": 60, "mean": 0.021, "low": -0.004, "high": 0.046}
        if name == BINS else None,
        "calibration": {"n": 400, "failed": 1, "ece": 0.118 if name == PLAIN else 0.064,
                        "brier": 0.21, "auc": 0.64, "bins": bins},
        "injection": _attack(2.31 if name == PLAIN else 0.9, "") | {
            "by_attack": attacks,
            "bars": {"promotion over base <= 3": True, "mean lift <= 2": name != PLAIN,
                     "into the top 10 <= 0.35": None},
        },
    } | ({"grounding": {"items": 180, "unexplained": 12, "sentences": 240, "rejected": 9,
                        "ids_exist": 1.0, "ids_own": 1.0, "supported": 0.962,
                        "polarity_conflicts": None, "reason": ""}}
         if name == BINS else {})  # fmt: skip


def _attack(lift: float | None, kind: str) -> dict[str, Any]:
    return {
        "n": 50, "failed": 0 if lift else 50, "mean_lift": lift, "low": lift and lift - 0.4,
        "high": lift and lift + 0.4, "max_lift": lift and 6, "max_promotion": lift and 3,
        "reach": 44, "into_top10": lift and 0.22, "into_top1": lift and 0.0,
        "top10_without": lift and 0.11, "log_odds": lift, "others_moved": lift and 0.0004,
        "others_ranks": lift, "kind": kind,
    }  # fmt: skip
