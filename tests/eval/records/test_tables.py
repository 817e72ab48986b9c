"""What is written comes back, NaN as NaN, and files of others are refused in words."""

from __future__ import annotations

import math
from dataclasses import astuple
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.question import PoolItem, Question
from eval.records.asked import Asked, read_asked, write_asked
from eval.records.tables import (
    Judgement,
    Row,
    Shown,
    read_judgements,
    read_prompts,
    read_rows,
    write_judgements,
    write_prompts,
    write_rows,
)
from prompts.prompt import Turn
from retrieval.errors import InvalidInput, NotFound

NUMBERS = st.floats(allow_infinity=False)
NAMES = st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3)
ROWS = st.builds(
    Row,
    system=st.text(max_size=5),
    query_id=st.text(max_size=5),
    strata=NAMES,
    metrics=st.dictionaries(st.sampled_from(["ndcg@10", "hr@10", "x"]), NUMBERS),
    delta=NUMBERS,
    calls=st.integers(0, 2**40),
)


def judgement(system: str = "v1", query_id: str = "q", log_odds: float = 0.5) -> Judgement:
    return Judgement(
        system=system,
        query_id=query_id,
        item_id="酒 1",
        base_rank=2,
        final_rank=1,
        base_score=0.25,
        log_odds=log_odds,
        logprobs={} if math.isnan(log_odds) else {"yes": -0.1, "是": -2.5},
        parts={"behaviour": 0.25, "llm": 0.1},
        relevant=True,
        conversation="ab" * 32,
    )


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@given(st.lists(ROWS, max_size=4))
def test_rows_come_back_with_strata_and_metrics(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, rows)
    again = read_rows(folder)
    assert [(row.system, row.query_id, row.strata, row.calls) for row in again] == [
        (row.system, row.query_id, row.strata, row.calls) for row in rows
    ]
    for row, back in zip(rows, again, strict=True):
        assert same(row.delta, back.delta)
        # A metric that another row has is one that this row could not measure.
        for name, value in back.metrics.items():
            assert same(value, row.metrics.get(name, math.nan))


def test_a_null_of_another_writer_reads_as_nan(tmp_path: Path) -> None:
    write_rows(tmp_path, [Row("S", "q", metrics={"ndcg@10": 1.0})])
    table = pq.read_table(tmp_path / "rows.parquet")
    at = table.column_names.index("ndcg@10")
    table = table.set_column(at, "ndcg@10", pa.array([None], pa.float64()))
    pq.write_table(table, tmp_path / "rows.parquet")
    (row,) = read_rows(tmp_path)
    assert math.isnan(row.metrics["ndcg@10"])


def test_the_columns_of_rows_are_those_that_the_documentation_names(example: Path) -> None:
    schema = pq.read_schema(example / "rows.parquet")
    assert {"stratum_user", "stratum_lang", "ndcg@10", "pool_recall", "delta"} <= set(schema.names)
    assert schema.field("ndcg@10").type == pa.float64()


def test_judgements_come_back_also_failed_ones(tmp_path: Path) -> None:
    write_judgements(tmp_path, [judgement(), judgement(log_odds=math.nan)])
    first, failed = read_judgements(tmp_path)
    assert first == judgement()
    assert math.isnan(failed.log_odds)
    assert failed.logprobs == {}


def test_an_infinite_log_probability_reads_as_nan_and_breaks_no_reader(tmp_path: Path) -> None:
    values = {name: getattr(judgement(), name) for name in Judgement.__slots__}
    write_judgements(tmp_path, [Judgement(**values | {"logprobs": {"no": -math.inf}})])
    assert '"no": null' in pq.read_table(tmp_path / "judgements.parquet")["logprobs"][0].as_py()
    assert math.isnan(read_judgements(tmp_path)[0].logprobs["no"])


def test_judgements_of_one_query_and_one_system_can_be_asked_for(tmp_path: Path) -> None:
    write_judgements(
        tmp_path, [judgement("v1", "q"), judgement("v2", "q"), judgement("v1", "other")]
    )
    assert len(read_judgements(tmp_path, query_id="q")) == 2
    (one,) = read_judgements(tmp_path, query_id="q", system="v2")
    assert one.system == "v2"
    assert read_judgements(tmp_path, query_id="nobody") == []


def test_no_judgement_at_all_is_an_empty_table(tmp_path: Path) -> None:
    write_judgements(tmp_path, [])
    assert read_judgements(tmp_path) == []


def test_a_conversation_that_was_shown_twice_is_kept_once(tmp_path: Path) -> None:
    turns: list[Turn] = [{"role": "user", "content": "你好\n</data>"}]
    write_prompts(tmp_path, [Shown("a", turns), Shown("b", []), Shown("a", turns)])
    assert read_prompts(tmp_path) == {"a": turns, "b": []}
    assert read_prompts(tmp_path, ["b", "nowhere"]) == {"b": []}
    assert read_prompts(tmp_path, []) == {}


def test_what_was_asked_comes_back_also_of_a_stranger(tmp_path: Path) -> None:
    item = PoolItem("i", 0.0)
    write_asked(
        tmp_path,
        [
            Question("q1", "u", "zh", "一瓶酒", "喜欢酒", (item,), frozenset("i")),
            Question("q2", None, "en", "", "", (item,), frozenset("i")),
        ],
    )
    assert astuple(read_asked(tmp_path)["q1"]) == ("q1", "u", "zh", "一瓶酒", "喜欢酒")
    assert read_asked(tmp_path, "q2") == {"q2": Asked("q2", None, "en", "", "")}


def test_a_missing_file_a_foreign_one_and_a_wrong_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no .*rows\.parquet"):
        read_rows(tmp_path)
    (tmp_path / "rows.parquet").write_bytes(b"PAR? no")
    with pytest.raises(InvalidInput, match="not readable Parquet"):
        read_rows(tmp_path)
    pq.write_table(pa.table({"system": ["S"]}), tmp_path / "rows.parquet")
    with pytest.raises(InvalidInput, match="no column 'query_id' of text"):
        read_rows(tmp_path)
    pq.write_table(pa.table({"sha256": ["a"], "turns": ["{"]}), tmp_path / "prompts.parquet")
    with pytest.raises(InvalidInput, match="no JSON"):
        read_prompts(tmp_path)


def test_a_write_that_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    write_rows(tmp_path, [Row("S", "q")])
    with pytest.raises(pa.ArrowException):
        write_rows(tmp_path, [Row("S", "q", calls="many")])  # type: ignore[arg-type]
    assert [row.query_id for row in read_rows(tmp_path)] == ["q"]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
