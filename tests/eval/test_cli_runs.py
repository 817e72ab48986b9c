"""`palate eval list|compare|show|export-mlflow` as a user meets them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eval.cli_runs import register
from eval.cli_show import reasons
from eval.question import PoolItem, Question
from eval.records.asked import write_asked
from eval.records.folder import RunFolder
from eval.records.tables import Row, read_judgements, read_rows, write_rows
from retrieval.errors import InvalidInput, NotFound, PalateError
from tests.eval.example_run import SHUFFLED, V1, V2, write_example_run

FIRST, SECOND = "20250102T030405000000-first", "20250103T030405000000-second"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs of the same questions; nobody changes them."""
    folder = tmp_path_factory.mktemp("runs")
    for run_id in (FIRST, SECOND):
        write_example_run(folder / run_id)
    return folder


@pytest.fixture
def own_runs(runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs, tmp_path / "runs"))


def palate_eval(*words: str) -> str:
    """What the command printed; its error is raised as ``palate`` would see it."""
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, PalateError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_list_shows_the_newest_first_with_verdict_and_reason(own_runs: Path) -> None:
    values = json.loads((own_runs / SECOND / "record.json").read_text())
    newer = {**values, "at": "2025-02-02T00:00:00+00:00", "verdict": "passed"}
    (own_runs / SECOND / "record.json").write_text(json.dumps(newer))
    RunFolder.create(own_runs, "x", run_id="half", at=datetime.now(UTC)).close()
    (own_runs / "broken").mkdir()
    (own_runs / "broken" / "record.json").write_text("{")
    (own_runs / "old").mkdir()
    old = {"at": "2024-01-01", "result": {"queries": 9, "systems": [1], "misses": [1]}}
    (own_runs / "old" / "record.json").write_text(json.dumps(old))
    lines = palate_eval("list", "--runs", str(own_runs)).splitlines()[1:]
    assert [line.split()[0] for line in lines[:3]] == [SECOND, FIRST, "old"]
    assert lines[0].split()[1:5] == ["prompts", "12", "5", "passed"]
    assert "failed " in lines[1]
    assert lines[1].rstrip().endswith("1 of 2 thresholds did not hold")
    assert lines[2].split()[1:5] == ["systems", "9", "1", "failed"]
    rest = "\n".join(lines[3:])
    assert "unfinished" in rest
    assert "unreadable" in rest


def test_list_of_nothing_says_how_to_make_a_run(tmp_path: Path) -> None:
    assert "palate eval run CONFIG" in palate_eval("list", "--runs", str(tmp_path / "none"))


def test_compare_pairs_systems_of_one_name(runs: Path) -> None:
    output = palate_eval("compare", "first", "second", "--runs", str(runs))
    assert f"A: {FIRST}, 12 queries" in output
    (line,) = [line for line in output.splitlines() if f" {V2} " in line]
    assert line.split()[:6] == ["B", "-", "A", V2, "12", "0.7703"]
    assert "+0.0000 [+0.0000, +0.0000]" in line
    assert "left out" not in output


def test_compare_against_one_system_gives_interval_p_and_holm(runs: Path) -> None:
    output = palate_eval(
        "compare", FIRST, "--against", "S", "--metric", "hr@10", "--runs", str(runs)
    )
    assert "hr@10, paired by query, against S of A" in output
    assert SHUFFLED in output
    assert "p Holm" in output


def test_compare_counts_what_the_runs_do_not_share(own_runs: Path) -> None:
    rows = read_rows(own_runs / SECOND)
    changed = [row for row in rows if row.query_id != "u0"]
    changed.append(Row(V2, "new", metrics={"ndcg@10": 1.0}))
    write_rows(own_runs / SECOND, changed)
    output = palate_eval("compare", "first", "second", "--runs", str(own_runs))
    assert "A and B: 1 queries only in A, 1 only in B: left out" in output
    rows = [Row("S", row.query_id, metrics={"ndcg@10": float("nan")}) for row in rows[:12]]
    write_rows(own_runs / SECOND, rows)
    output = palate_eval("compare", "first", "second", "--runs", str(own_runs))
    assert "B S: 12 common queries had nothing to measure: left out" in output


def test_compare_refuses_different_data_with_a_way_out(own_runs: Path) -> None:
    path = own_runs / SECOND / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data_sha256": "0" * 64}))
    words = ("compare", "first", "second", "--runs", str(own_runs))
    with pytest.raises(InvalidInput, match="different data") as error:
        palate_eval(*words)
    assert (error.value.exit_code, "--force-different-data" in error.value.hint) == (2, True)
    assert V2 in palate_eval(*words, "--force-different-data")


def test_show_without_a_query_lists_the_largest_gains_and_losses(runs: Path) -> None:
    output = palate_eval("show", FIRST, "--runs", str(runs))
    assert f"{V2}: 11 of 12 queries gain ndcg@10 against S" in output
    assert output.splitlines()[2].split()[:3] == ["u1", "1.0000", "+0.5693"]
    assert f"palate eval show {FIRST} --query ID" in output
    output = palate_eval("show", FIRST, "--system", V1, "--runs", str(runs))
    assert f"{V1}: 1 of 12 queries lose ndcg@10 against S" in output


def test_show_tells_ranks_parts_log_probabilities_reasons_and_the_prompt(runs: Path) -> None:
    output = palate_eval("show", FIRST, "--query", "u4", "--runs", str(runs))
    assert "query u4 (user warm, item head, lang en)" in output
    assert "relevant: lost 4, wine 38" in output
    assert "of these no model saw: lost 4" in output
    (line,) = [line for line in output.splitlines() if line.lstrip().startswith("4 → 1")]
    assert all(word in line for word in ("wine 38", "relevant", "behaviour", "yes -", "+4.64"))
    assert "wine 38 stands at 1, up from 4." in output
    assert "For it: llm +2.320, popular +0.101, behaviour +0.057." in output
    assert "Against it: profile -0.036." in output
    assert "prompt of wine 38" in output
    assert "Person: likes spicy wine\nWish: something spicy & <not> too dear" in output


def test_show_takes_another_system_and_item_also_one_that_failed(runs: Path) -> None:
    failed = next(
        one for one in read_judgements(runs / FIRST, query_id="u1", system=V1) if not one.logprobs
    )
    output = palate_eval(
        *("show", FIRST, "--query", "u1", "--system", V1, "--item", failed.item_id),
        *("--runs", str(runs)),
    )
    assert f"prompt of {failed.item_id}" in output
    assert "The model's judgement failed, so only S speaks." in output


def test_show_tells_who_asked_where_the_run_kept_it(own_runs: Path) -> None:
    question = Question(
        "u4", None, "en", "a [b]wish[/b]", "", (PoolItem("i", 0.0),), frozenset({"i"})
    )
    write_asked(own_runs / FIRST, [question])
    output = palate_eval("show", FIRST, "--query", "u4", "--runs", str(own_runs))
    assert "user: a stranger\nperson: nothing is known\nwish: a [b]wish[/b]\n" in output


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["--query", "nobody"], "no query 'nobody'", "u0, u1"),
        (["--query", "u1", "--system", "v9"], "no system 'v9'", V2),
        (["--query", "u1", "--item", "wine 99"], "no model judged item 'wine 99'", "wine 39"),
    ],
)
def test_show_of_what_is_not_there_lists_what_is(
    runs: Path, words: list[str], says: str, hint: str
) -> None:
    with pytest.raises(NotFound, match=says) as error:
        palate_eval("show", FIRST, *words, "--runs", str(runs))
    assert hint in error.value.hint


def test_show_of_a_system_without_a_model_names_those_with_one(runs: Path) -> None:
    with pytest.raises(InvalidInput, match="no model judged query 'u1' for S") as error:
        palate_eval("show", FIRST, "--query", "u1", "--system", "S", "--runs", str(runs))
    assert V1 in error.value.hint


def test_reasons_name_the_largest_parts_first_and_skip_zeros(runs: Path) -> None:
    one = read_judgements(runs / FIRST, query_id="u4", system=V2)[0]
    values = {name: getattr(one, name) for name in type(one).__slots__}
    parts = {"a": 0.1, "b": 0.4, "c": 0.0, "d": 0.2, "e": 0.3, "f": -0.5}
    changed = type(one)(**values | {"parts": parts, "base_rank": 2, "final_rank": 2})
    assert reasons(changed) == [
        f"{one.item_id} stands at 2, where S had put it.",
        "For it: b +0.400, e +0.300, d +0.200 and 1 smaller.",
        "Against it: f -0.500.",
    ]


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_export_says_where_the_run_went(runs: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    output = palate_eval("export-mlflow", FIRST, "--tracking-uri", uri, "--runs", str(runs))
    assert f"exported {FIRST} to {uri}: experiment palate, run " in output
