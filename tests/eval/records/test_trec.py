"""TREC files that every reader takes, and that keep our order and our figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import pytrec_eval
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from agent.measure import ndcg, ranks_in
from eval.records.tables import read_rows
from eval.records.trec import (
    decode_id,
    encode_id,
    read_qrels,
    read_trec_run,
    trec_file_name,
    write_qrels,
    write_trec_runs,
)
from retrieval.errors import InvalidInput, NotFound
from tests.eval.example_run import V2

IDS = st.text(min_size=1, max_size=8)
SYSTEMS = ("S", V2, "random")


@given(IDS)
@also("a b")
@also("100 %")
@also("%20")
@also("\u3000\u00a0\x00\x85\ufeff\n")
def test_any_id_is_one_column_and_comes_back(text: str) -> None:
    column = encode_id(text)
    assert column.split() == [column]
    assert decode_id(column) == text


def test_a_plain_id_stays_readable() -> None:
    assert encode_id("wine/1|红酒") == "wine/1|红酒"
    assert encode_id("wine 1, 5 %") == "wine%201,%205%20%25"


@given(st.dictionaries(IDS, st.lists(IDS, unique=True, min_size=1, max_size=6), min_size=1))
def test_qrels_and_orders_come_back(
    tmp_path_factory: pytest.TempPathFactory, orders: dict[str, list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("trec")
    write_qrels(folder, {query_id: frozenset(order) for query_id, order in orders.items()})
    write_trec_runs(folder, {"a|b": orders})
    assert read_trec_run(folder, "a|b") == orders
    assert read_qrels(folder) == {query_id: frozenset(order) for query_id, order in orders.items()}


def test_scores_fall_from_rank_to_rank_also_where_s_tied(tmp_path: Path) -> None:
    (path,) = write_trec_runs(tmp_path, {"S": {"q 1": ["b", "a", "c"]}})
    assert path.read_text() == "q%201 Q0 b 1 3 S\nq%201 Q0 a 2 2 S\nq%201 Q0 c 3 1 S\n"


@pytest.mark.parametrize("relevant", [{}, {"q": frozenset[str]()}])
def test_an_empty_qrels_is_refused(tmp_path: Path, relevant: dict[str, frozenset[str]]) -> None:
    with pytest.raises(InvalidInput, match="empty qrels"):
        write_qrels(tmp_path, relevant)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty qrels"),
        ("q 0 i 0\n", "empty qrels"),
        ("q 0 i 1\nq 0 an item 1\n", r"qrels\.txt:2: 5 columns, expected 4"),
        ("q 0 i good\n", r"qrels\.txt:1: 'good' is no number"),
    ],
)
def test_a_broken_qrels_is_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "qrels.txt").write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_qrels(tmp_path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no .*v2_x_0\.trec"):
        read_trec_run(tmp_path, "v2|x|0")


def test_two_systems_never_share_a_file(tmp_path: Path) -> None:
    assert trec_file_name(V2 + "~shuffled") == "v2_tiny_0~shuffled.trec"
    with pytest.raises(InvalidInput, match=r"'a\|b' and 'a b' would both write a_b\.trec"):
        write_trec_runs(tmp_path, {"a|b": {}, "a b": {}})


def test_an_item_that_stands_twice_and_an_empty_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="S ranked an item twice for query 'q'"):
        write_trec_runs(tmp_path, {"S": {"q": ["a", "a"]}})
    with pytest.raises(InvalidInput, match="empty id"):
        write_trec_runs(tmp_path, {"S": {"q": [""]}})


def our_ndcg(folder: Path, system: str) -> dict[str, float]:
    rows = read_rows(folder)
    return {row.query_id: row.metrics["ndcg@10"] for row in rows if row.system == system}


def test_our_own_reader_reproduces_the_ndcg_of_the_rows(example: Path) -> None:
    qrels = read_qrels(example)
    for system in SYSTEMS:
        orders = read_trec_run(example, system)
        found = {q: ndcg(ranks_in(order, qrels[q])) for q, order in orders.items()}
        assert found == our_ndcg(example, system)


def test_pytrec_eval_reproduces_the_ndcg_of_the_rows(example: Path) -> None:
    with (example / "qrels.txt").open(encoding="utf-8") as file:
        evaluator = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(file), {"ndcg_cut_10"})
    for system in SYSTEMS:
        with (example / "trec" / trec_file_name(system)).open(encoding="utf-8") as file:
            found = evaluator.evaluate(pytrec_eval.parse_run(file))
        assert {decode_id(q): values["ndcg_cut_10"] for q, values in found.items()} == (
            pytest.approx(our_ndcg(example, system))
        )


# Warnings of what ranx imports are not ours to mend.
@pytest.mark.filterwarnings("ignore")
def test_ranx_reproduces_the_ndcg_of_the_rows(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numba

    # Compiling takes minutes, for twelve queries. Asked for at each function's definition.
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    from ranx import Qrels, Run, evaluate

    qrels = Qrels.from_file(str(example / "qrels.txt"), kind="trec")
    for system in SYSTEMS:
        path = example / "trec" / trec_file_name(system)
        run = Run.from_file(str(path), kind="trec")
        mean = evaluate(qrels, run, "ndcg@10")
        ours = our_ndcg(example, system)
        assert mean == pytest.approx(math.fsum(ours.values()) / len(ours))
        assert {decode_id(q): value for q, value in run.scores["ndcg@10"].items()} == (
            pytest.approx(ours)
        )
        assert run.name == encode_id(system)
