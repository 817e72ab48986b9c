"""What is written loads, shows a model the same as in the search, and overwrites nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eval.optimise.report import Tried
from eval.optimise.settings import OptimiseSettings
from eval.optimise.shots import mine_shots
from eval.optimise.space import build_space, incumbent_of, read_instructions
from eval.optimise.write import write_search, write_version
from prompts.library import PromptLibrary
from retrieval.errors import InvalidInput
from tests.eval.optimise.test_search import random_answers
from tests.eval.optimise.worlds import BASES, questions

SETTINGS = OptimiseSettings()
CANDIDATES = build_space(
    BASES,
    read_instructions(),
    shots=("current", "none", "mined"),
    mined={"en": mine_shots(questions(20), 4, 0)},
    bins=(False, True),
    asked=frozenset({"en"}),
    incumbent=incumbent_of(BASES, False),
)


def tried(number: int) -> Tried:
    return Tried(CANDIDATES[number], "finalist", 1, (), 0.5, 100.0, 0.0)


def test_every_kind_of_candidate_loads_through_the_library_as_it_was_searched(
    tmp_path: Path,
) -> None:
    kinds = {(one.shots, one.bins): at for at, one in enumerate(CANDIDATES)}
    assert len(kinds) == 6
    for version, at in enumerate(kinds.values(), start=2):
        written = write_version(tmp_path, tried(at), "rerank")
        assert written.reference == f"rerank@{version}"
        library = PromptLibrary(tmp_path)
        for lang, searched in CANDIDATES[at].prompts.items():
            found = library.find(written.reference, lang)
            assert found.turns == searched.turns
            assert found.about == f"found by palate eval optimise: {CANDIDATES[at].name}"
    assert not list(tmp_path.glob("*.partial"))


def test_production_stays_what_it_was(tmp_path: Path) -> None:
    write_version(tmp_path, tried(0), "rerank")
    assert PromptLibrary(tmp_path).find("rerank", "en") == BASES["en"]


def test_a_folder_that_does_not_load_is_bad_input_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "rerank.v2.en.md").write_text("no prompt", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"rerank\.v2\.en\.md"):
        write_version(tmp_path, tried(0), "rerank")
    assert [path.name for path in tmp_path.glob("rerank*")] == ["rerank.v2.en.md"]


def test_a_file_in_the_folders_place_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("", encoding="utf-8")
    with pytest.raises(InvalidInput) as error:
        write_version(tmp_path / "here", tried(0), "rerank")
    assert "--out" in str(error.value.hint)


def test_the_record_holds_every_candidate_and_is_json_for_any_reader(tmp_path: Path) -> None:
    report = random_answers(1)
    at = datetime(2025, 1, 2, 3, tzinfo=UTC)
    path = write_search(tmp_path, "wine", report, None, at=at)
    assert path == tmp_path / "20250102T030000000000-wine-optimise" / "optimise.json"

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert record["decision"] == "none"
    assert record["because"].startswith("no prompt is significantly better")
    assert len(record["tried"]) == 6
    assert record["tried"][0]["fate"] == "in use"
    fates = {one["fate"] for one in record["tried"][1:]}
    assert fates == {"finalist", "out after block 1", "out after block 2"}
    finalist = next(one for one in record["tried"] if one["fate"] == "finalist")
    assert finalist["objective"]["p_holm"] >= finalist["objective"]["p"]
    assert record["files"] == []
