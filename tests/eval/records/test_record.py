"""record.json: whole, NaN as null, and refused in words when it is something else."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from eval.records import origin
from eval.records.origin import commit, versions
from eval.records.record import Comparison, Figure, RunRecord, read_record, write_record
from eval.records.whole import whole, write_json
from eval.stats import paired
from retrieval.errors import InvalidInput, NotFound
from tests.eval.example_run import V1, V2


def test_a_record_comes_back(example: Path, tmp_path: Path) -> None:
    record = read_record(example)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert (tmp_path / "record.json").read_text() == (example / "record.json").read_text()


def test_the_record_has_the_fields_that_the_documentation_names(example: Path) -> None:
    values = json.loads((example / "record.json").read_text(encoding="utf-8"))
    assert (values["format"], values["kind"], values["id"]) == (1, "prompts", example.name)
    system = {one["name"]: one for one in values["systems"]}[V2]
    assert system["comparisons"][0]["against"] == "S"
    assert system["strata"]["user"].keys() == {"cold", "warm", "heavy"}
    assert system["probes"]["calibration"]["bins"][0]["said"] == pytest.approx(0.1)


def test_a_missing_number_is_null_in_json_and_never_zero(example: Path) -> None:
    text = (example / "record.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text)["thresholds"][1]["measured"] is None
    assert read_record(example).thresholds[1].measured is None
    figure = Figure.model_validate({"mean": math.nan, "low": -math.inf, "high": 1.0, "empty": 3})
    assert (figure.mean, figure.low, figure.high) == (None, None, 1.0)


def test_a_nan_deep_in_a_probe_becomes_null_too(example: Path, tmp_path: Path) -> None:
    values = json.loads((example / "record.json").read_text(encoding="utf-8"))
    values["systems"][1]["probes"]["grounding"] = {"share": [math.nan, {"x": math.inf}]}
    write_record(tmp_path, RunRecord.model_validate(values))
    assert read_record(tmp_path).system(V1).probes.grounding == {"share": [None, {"x": None}]}


def test_a_comparison_of_the_statistics_fits_the_record() -> None:
    found = paired.Comparison(
        "v", "S", "ndcg@10", 1, 0.5, 0.5, 0.5, 1.0, math.nan, math.nan, 1, 0, 0
    )
    record = Comparison.model_validate(found)
    assert (record.against, record.mean, record.p_holm, record.effect) == ("S", 0.5, None, None)


def test_an_unknown_system_lists_those_of_the_run(example: Path) -> None:
    with pytest.raises(NotFound, match="no system 'v3'") as error:
        read_record(example).system("v3")
    assert V2 in error.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a readable record"),
        ("[]", "holds no JSON object"),
        ('{"format": 2, "kind": "prompts"}', "format 2, this version of Palate reads 1"),
        ('{"format": 1, "kind": "systems"}', "a run of systems, not of prompts"),
        ('{"config": {}}', "a run of systems, not of prompts"),
        ('{"format": 1, "kind": "prompts"}', "record.json: id: Field required"),
    ],
)
def test_another_file_is_refused_with_its_reason(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(InvalidInput, match=re.escape(says)):
        read_record(tmp_path)


def test_a_field_of_a_wrong_type_is_named(example: Path, tmp_path: Path) -> None:
    values = json.loads((example / "record.json").read_text(encoding="utf-8"))
    values["systems"][2]["figures"]["ndcg@10"]["mean"] = "good"
    (tmp_path / "record.json").write_text(json.dumps(values))
    with pytest.raises(InvalidInput, match=r"systems\.2\.figures\.ndcg@10\.mean"):
        read_record(tmp_path)


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="was not finished"):
        read_record(tmp_path)


def test_a_write_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "record.json", {"set": {1}})
    with pytest.raises(OSError, match="disk"), whole(tmp_path / "x") as partial:  # noqa: PT012
        partial.write_text("half")
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


def test_the_commit_says_when_a_tracked_file_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(origin, "__file__", str(tmp_path / "origin.py"))
    assert commit() == ""
    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "x")
    git("tag", "-a", "v1", "-m", "a tag must not stand for the commit")
    assert re.fullmatch(r"[0-9a-f]{40}", commit())
    (tmp_path / "a").write_text("2")
    assert re.fullmatch(r"[0-9a-f]{40}-dirty", commit())


def test_a_machine_without_git_has_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit() == ""


def test_versions_leave_out_what_is_not_installed() -> None:
    found = versions(["numpy", "no-such-library"])
    assert found.keys() == {"palate", "python", "numpy"}
