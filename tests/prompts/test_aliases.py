"""An alias moves with a proof, goes back, and every move stays on record."""

import hashlib
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from prompts import history
from prompts.aliases import promote, rollback
from prompts.history import HISTORY_FILE, read_history, stack_of
from prompts.library import PromptLibrary
from prompts.prompt import PromptError, UnknownPrompt
from tests.prompts.folders import add_version, write_run

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An operator's folder with rerank@2, 3 and 4."""
    for number in (2, 3, 4):
        add_version(
            tmp_path / "own", "rerank", number, edit=lambda text: text.replace("Judge", "Decide")
        )
    return tmp_path / "own"


def passed(folder: Path, *references: str, **changes: object) -> Path:
    return write_run(folder.parent / "runs" / "r1", PromptLibrary(folder), *references, **changes)


def production(folder: Path) -> int:
    return PromptLibrary(folder).find("rerank", "en").number


def test_a_version_whose_run_passed_becomes_production_and_the_run_is_on_record(
    folder: Path,
) -> None:
    run = passed(folder, "rerank@1", "rerank@2")
    line = promote(folder, "rerank@2", "production", at=AT, run=run)
    library = PromptLibrary(folder)
    assert library.find("rerank@production", "zh").version == "rerank@2"
    assert read_history(folder) == [line]
    assert (line.at, line.previous, line.number, line.action) == (AT, 1, 2, "promoted")
    assert (line.run, line.verdict, line.because) == ("r1", "passed", "every threshold holds")
    record = (run / "record.json").read_bytes()
    assert line.run_sha256 == hashlib.sha256(record).hexdigest()
    assert line.sha256 == library.sha256("rerank@2")
    assert line.judged == ("en", "zh")


def test_the_record_itself_and_an_alias_of_one_s_own_are_taken(folder: Path) -> None:
    run = passed(folder, "rerank@3") / "record.json"
    line = promote(folder, "rerank@3", "canary-b", at=AT, run=run, because=" looks better ")
    assert (line.previous, line.because) == (None, "looks better")
    library = PromptLibrary(folder)
    assert library.aliases("rerank") == {"canary-b": 3, "production": 1}
    assert library.find("rerank@canary-b", "en").number == 3
    assert library.aliases("extract") == {"production": 1}
    promote(folder, "rerank@canary-b", "production", at=AT, run=run)
    assert production(folder) == 3


def test_a_run_in_one_language_proves_that_language_only(folder: Path) -> None:
    run = passed(folder, "rerank@2")
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    del record["prompts"][1]
    (run / "record.json").write_text(json.dumps(record), encoding="utf-8")
    assert promote(folder, "rerank@2", "production", at=AT, run=run).judged == ("en",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"verdict": "failed"}, r"its verdict is 'failed' \(every threshold holds\)"),
        ({"verdict": "incomplete"}, "its verdict is 'incomplete'"),
        ({"kind": "bench"}, "it is a run of bench, not of prompts"),
        ({"prompts": []}, "run r1 did not judge with rerank@2"),
        (
            {
                "prompts": [
                    {
                        "variant": "rerank@2",
                        "reference": "rerank@2",
                        "lang": "en",
                        "sha256": "0" * 64,
                    }
                ]
            },
            r"another text of rerank@2 \(en\) than there is now",
        ),
        ({"id": None}, "no record of a run: id"),
        (
            {"prompts": [{"variant": "rerank@2", "reference": "rerank@2"}]},
            "no record of a run: prompts.0.lang",
        ),
    ],
)
def test_a_run_that_proves_nothing_is_refused_and_leaves_no_trace(
    folder: Path, changes: dict[str, object], told: str
) -> None:
    run = passed(folder, "rerank@2", **changes)
    with pytest.raises(PromptError, match=told):
        promote(folder, "rerank@2", "production", at=AT, run=run)
    assert not (folder / HISTORY_FILE).exists()
    assert production(folder) == 1


def test_no_run_a_missing_one_and_a_broken_one_are_refused(folder: Path) -> None:
    with pytest.raises(PromptError, match="no run proves rerank@2"):
        promote(folder, "rerank@2", "production", at=AT)
    with pytest.raises(PromptError, match="there is no run at"):
        promote(folder, "rerank@2", "production", at=AT, run=folder / "nowhere")
    broken = folder.parent / "record.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(PromptError, match="is no record of a run"):
        promote(folder, "rerank@2", "production", at=AT, run=broken, force=True, because="x")


def test_force_needs_a_reason_and_is_recorded_with_what_the_run_said(folder: Path) -> None:
    run = passed(folder, "rerank@2", verdict="failed")
    with pytest.raises(PromptError, match="without proof needs a reason"):
        promote(folder, "rerank@2", "production", at=AT, run=run, force=True, because=" ")
    line = promote(
        folder, "rerank@2", "production", at=AT, run=run, force=True, because="a live fault"
    )
    assert (line.action, line.verdict, line.because) == ("forced", "failed", "a live fault")
    line = promote(folder, "rerank@3", "production", at=AT, force=True, because="no model here")
    assert (line.action, line.run, line.verdict, line.judged) == ("forced", "", "", ())
    assert production(folder) == 3


@pytest.mark.parametrize("alias", ["2", "Production", "", "a b", "-a", "a" * 41, "a\n"])
def test_what_cannot_be_an_alias_is_refused(folder: Path, alias: str) -> None:
    with pytest.raises(PromptError, match="is no alias"):
        promote(folder, "rerank@2", alias, at=AT, force=True, because="x")


def test_a_version_that_is_not_there_or_is_there_already_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownPrompt, match="no rerank@9; there is rerank@1, rerank@2"):
        promote(folder, "rerank@9", "production", at=AT, force=True, because="x")
    with pytest.raises(PromptError, match="rerank@production is version 1 already"):
        promote(folder, "rerank@1", "production", at=AT, force=True, because="x")


def test_a_rollback_goes_back_one_promotion_and_another_one_more(folder: Path) -> None:
    for number in (2, 3, 4):
        promote(folder, f"rerank@{number}", "production", at=AT, force=True, because="x")
    first = rollback(folder, "production", "rerank", at=AT, because="worse live")
    assert (first.action, first.previous, first.number) == ("rolled back", 4, 3)
    assert production(folder) == 3
    assert rollback(folder, "production", "rerank", at=AT, because="worse too").number == 2
    promote(folder, "rerank@4", "production", at=AT, force=True, because="again")
    assert rollback(folder, "production", "rerank", at=AT, because="no").number == 2
    assert rollback(folder, "production", "rerank", at=AT, because="all of it").number == 1
    with pytest.raises(PromptError, match="nothing to go back to"):
        rollback(folder, "production", "rerank", at=AT, because="more")
    assert [line.number for line in read_history(folder)] == [2, 3, 4, 3, 2, 4, 2, 1]


def test_there_is_nothing_to_roll_back_to_before_a_promotion(folder: Path) -> None:
    with pytest.raises(PromptError, match="needs a reason"):
        rollback(folder, "production", "rerank", at=AT, because=" ")
    with pytest.raises(PromptError, match="rerank@production was not promoted"):
        rollback(folder, "production", "rerank", at=AT, because="x")
    with pytest.raises(UnknownPrompt, match="no prompt 'poem'"):
        rollback(folder, "production", "poem", at=AT, because="x")
    promote(folder, "rerank@2", "canary", at=AT, force=True, because="x")
    with pytest.raises(PromptError, match="rerank@canary was not promoted"):
        rollback(folder, "canary", "rerank", at=AT, because="it stood for nothing before")
    nowhere = folder.parent / "nowhere"
    with pytest.raises(PromptError, match="nothing to go back to"):
        rollback(nowhere, "production", "rerank", at=AT, because="x")
    assert not nowhere.exists()


def test_a_text_that_was_edited_after_its_promotion_is_not_used(folder: Path) -> None:
    promote(folder, "rerank@2", "production", at=AT, force=True, because="x")
    path = folder / "rerank.v2.zh.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("此人", "这个人"), encoding="utf-8")
    library = PromptLibrary(folder)
    told = r"rerank\.v2\.zh\.md was edited after rerank@production became version 2 on 2026-05-01"
    with pytest.raises(PromptError, match=told):
        library.find("rerank", "en")
    assert library.find("rerank@2", "en").number == 2
    promote(folder, "rerank@3", "production", at=AT, force=True, because="x")
    with pytest.raises(PromptError, match="was edited after"):
        rollback(folder, "production", "rerank", at=AT, because="x")
    path.write_text(text, encoding="utf-8")
    assert rollback(folder, "production", "rerank", at=AT, because="x").number == 2


def test_a_version_in_production_whose_files_are_gone_is_named_and_can_be_rolled_back(
    folder: Path,
) -> None:
    promote(folder, "rerank@2", "production", at=AT, force=True, because="x")
    for path in folder.glob("rerank.v2.*"):
        path.unlink()
    with pytest.raises(PromptError, match="rerank@production is version 2, whose files are gone"):
        PromptLibrary(folder).find("rerank", "en")
    rollback(folder, "production", "rerank", at=AT, because="its files are gone")
    assert production(folder) == 1


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("nonsense", "Invalid JSON"),
        ('{"at": "2026-05-01T12:00:00Z"', "Invalid JSON"),
        ("{}", "at: Field required"),
        ({"number": 2.5}, "number: "),
        ({"number": 0}, "number: "),
        ({"alias": "a b"}, "alias: "),
        ({"action": "wished"}, "action: "),
        ({"at": "2026-05-01T12:00:00"}, "at: "),
        ({"colour": "red"}, "colour: "),
    ],
)
def test_a_broken_line_of_the_history_is_named(
    folder: Path, broken: str | dict[str, object], told: str
) -> None:
    promote(folder, "rerank@2", "production", at=AT, force=True, because="x")
    path = folder / HISTORY_FILE
    good = path.read_text(encoding="utf-8")
    line = broken if isinstance(broken, str) else json.dumps(json.loads(good) | broken)
    path.write_text(f"{good}{line}\n", encoding="utf-8")
    with pytest.raises(PromptError, match=f"{HISTORY_FILE}, line 2: {told}"):
        PromptLibrary(folder)


def test_the_history_only_grows_and_a_missing_line_end_is_mended(folder: Path) -> None:
    promote(folder, "rerank@2", "production", at=AT, force=True, because="说明 “x”\nand more")
    path = folder / HISTORY_FILE
    before = path.read_text(encoding="utf-8")
    assert before.count("\n") == 1
    path.write_text(before.rstrip("\n"), encoding="utf-8")
    promote(folder, "rerank@3", "production", at=AT, force=True, because="y")
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert after.count("\n") == 2
    assert [line.because for line in read_history(folder)] == ["说明 “x”\nand more", "y"]
    assert not list(folder.glob("*.partial"))


def test_promotions_at_once_are_all_kept_and_each_knows_the_one_before(folder: Path) -> None:
    def move(alias: str) -> None:
        for number in (2, 3, 4):
            promote(folder, f"rerank@{number}", alias, at=AT, force=True, because=alias)

    threads = [threading.Thread(target=move, args=(alias,)) for alias in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = read_history(folder)
    assert len(lines) == 12
    for alias in "abcd":
        of = [line for line in lines if line.alias == alias]
        assert [line.previous for line in of] == [None, 2, 3]
        assert stack_of(of) == [2, 3, 4]


def test_a_lock_that_somebody_holds_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LOCK_SECONDS", 0.05)
    with (
        FileLock(folder / f"{HISTORY_FILE}.lock"),
        pytest.raises(PromptError, match="another process is changing the aliases"),
    ):
        promote(folder, "rerank@2", "production", at=AT, force=True, because="x")


@pytest.mark.parametrize("about", ["", "rerank@1|m|0", "S", "rerank@22|m|0"])
def test_a_run_whose_thresholds_are_not_about_the_version_proves_nothing(
    folder: Path, about: str
) -> None:
    bars = [{"text": f"{about} ndcg@10 mean >= 0"}] if about else []
    run = passed(folder, "rerank@1", "rerank@2", thresholds=bars)
    with pytest.raises(PromptError, match="no threshold is about it"):
        promote(folder, "rerank@2", "production", at=AT, run=run)
    assert production(folder) == 1
