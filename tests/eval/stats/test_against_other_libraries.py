"""Our metrics are those that pytrec_eval (trec_eval itself) and ranx compute."""

import importlib
import math
import os
from types import ModuleType

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.measure import ranks_in
from eval.metrics import METRICS

# ranx compiles for half a minute before its first answer; interpreted it answers at once.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

CUTS = (1, 3, 10, 50)
THEIRS = {
    "ndcg": ("ndcg_cut", "ndcg"),
    "recall": ("recall", "recall"),
    "hr": ("success", "hit_rate"),
}

# At most 60 of 90 items are ranked, so that some relevant ones are not found.
items = st.permutations([f"i{n}" for n in range(90)])
question = st.tuples(items, st.integers(1, 60), st.sets(st.integers(0, 89), min_size=1))


@pytest.fixture(scope="module")
def ranx() -> ModuleType:
    """Imported late, after the line above: numba reads the environment on import."""
    return importlib.import_module("ranx")


# Only where a compiled ranx was imported before this module could say otherwise.
@pytest.mark.filterwarnings("ignore:unsafe cast from uint64 to int64")
@settings(max_examples=30)
@given(st.lists(question, min_size=1, max_size=4))
def test_metrics_are_those_of_pytrec_eval_and_ranx(
    ranx: ModuleType, questions: list[tuple[list[str], int, set[int]]]
) -> None:
    orders = {f"q{at}": order[:length] for at, (order, length, _) in enumerate(questions)}
    relevant = {f"q{at}": {f"i{n}" for n in ids} for at, (_, _, ids) in enumerate(questions)}
    qrels = {query: dict.fromkeys(sorted(ids), 1) for query, ids in relevant.items()}
    run = {
        query: {item: 1.0 - 0.01 * rank for rank, item in enumerate(order)}
        for query, order in orders.items()
    }
    cuts = ",".join(map(str, CUTS))
    trec = pytrec_eval.RelevanceEvaluator(
        qrels, {f"{theirs}.{cuts}" for theirs, _ in THEIRS.values()}
    ).evaluate(run)
    for name, (in_trec, in_ranx) in THEIRS.items():
        for cut in CUTS:
            ours = [METRICS[name](ranks_in(orders[query], relevant[query]), cut) for query in run]
            assert ours == pytest.approx([trec[query][f"{in_trec}_{cut}"] for query in run])
            by_ranx = ranx.evaluate(
                ranx.Qrels(qrels), ranx.Run(run), f"{in_ranx}@{cut}", return_mean=False
            )
            assert ours == pytest.approx(np.array(by_ranx).tolist())


def test_a_question_without_relevant_items_is_left_out_here_and_there() -> None:
    trec = pytrec_eval.RelevanceEvaluator({"q": {}}, {"ndcg_cut.10"}).evaluate({"q": {"a": 1.0}})
    assert trec == {}
    assert math.isnan(METRICS["ndcg"](ranks_in(["a"], set()), 10))
