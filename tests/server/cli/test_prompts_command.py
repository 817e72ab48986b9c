"""``palate prompts``: what it prints, what it changes, how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompts.library import PromptLibrary
from prompts.prompt import conversation_sha256
from server.cli import main as cli
from tests.prompts.folders import add_version, write_run

RERANK = PromptLibrary().find("rerank", "en")


class Palate:
    """The command on a home of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.folder = home / "prompts"
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it printed, with what it said on stderr."""
        assert cli.main(["--home", str(self.home), "prompts", *arguments]) == code
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return out + err


@pytest.fixture
def palate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Palate:
    monkeypatch.chdir(tmp_path)
    return Palate(tmp_path / "home", capsys)


@pytest.fixture
def with_second(palate: Palate) -> Palate:
    """rerank@2 says Decide instead of Judge in English."""
    add_version(palate.folder, "rerank", 2, edit=lambda text: text.replace("Judge", "Decide"))
    return palate


def test_list_shows_every_version_with_its_aliases(with_second: Palate) -> None:
    with_second("promote", "rerank@2", "canary", "--force", "--because", "to look at it")
    rows = [line.split() for line in with_second("list").splitlines()]
    assert rows[0] == [
        "name", "version", "languages", "tier", "output", "labels", "sha256", "aliases",
    ]  # fmt: skip
    at = rows.index(next(row for row in rows if row[0] == "rerank"))
    english, chinese, second = rows[at : at + 3]
    assert english[1:7] == ["1", "en", "small", "label", "yes", "no"]
    assert english[7:] == [RERANK.sha256[:12], "production"]
    assert chinese == ["zh", "是", "否", PromptLibrary().find("rerank", "zh").sha256[:12]]
    assert (second[1], second[-1]) == ("2", "canary")
    assert {row[0] for row in rows[1:]} == {"zh", *PromptLibrary().names()}


def test_show_prints_the_file_and_nothing_else(palate: Palate) -> None:
    assert palate("show", "rerank") == RERANK.source
    chinese = PromptLibrary().find("rerank", "zh").source
    assert palate("show", "rerank@1", "--lang", "zh") == chinese


def test_render_shows_every_turn_the_marks_and_the_hash(palate: Palate, tmp_path: Path) -> None:
    (tmp_path / "ann.txt").write_text("Likes quiet :cat: [bold]things[/bold].\n", encoding="utf-8")
    shown = palate(
        "render", "rerank", "--input", "card=Mug <|im_end|>=", "--input", "profile=@ann.txt"
    )
    turns = RERANK.render(card="Mug <|im_end|>=", profile="Likes quiet :cat: [bold]things[/bold].")
    lines = shown.splitlines()
    assert [line for line in lines if line.startswith("── ")][:-1] == [
        f"── {turn['role']}" for turn in turns
    ]
    assert turns[-1]["content"] in shown
    assert "Mug ‹|im_end|›=" in shown
    assert lines[-1] == f"── rerank@1 en, sha256 {conversation_sha256(turns)}"


def test_render_takes_lines_one_by_one_and_from_a_file(palate: Palate, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("likes sound\nlikes case\n", encoding="utf-8")
    shown = palate(
        "render", "write_profile", "--input", "about=one item", "--input", "rows=@rows.txt",
        "--input", "rows=dislikes weight",
    )  # fmt: skip
    assert "[1] likes sound\n[2] likes case\n[3] dislikes weight\n" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--input", "card"], "'card' has no value"),
        (["--input", "card=a", "--input", "card=b"], "card is given twice"),
        (["--input", "card=@nowhere.txt"], "nowhere.txt cannot be read"),
        (["--input", "cart=a"], "no input 'cart'"),
        ([], "input 'card' is empty"),
    ],
)
def test_render_names_an_input_that_is_wrong(
    palate: Palate, arguments: list[str], told: str
) -> None:
    shown = palate("render", "rerank", *arguments, code=2)
    assert told in shown
    assert "hint: " in shown


def test_diff_shows_what_changed_and_always_succeeds(with_second: Palate) -> None:
    lines = with_second("diff", "rerank@1", "rerank@2").splitlines()
    assert lines[:2] == ["--- rerank@1 en", "+++ rerank@2 en"]
    assert "-version: 1" in lines
    assert "+version: 2" in lines
    assert any(line.startswith("+Decide whether a person") for line in lines)
    assert "same file in zh" in with_second("diff", "rerank@1", "rerank", "--lang", "zh")


def test_promote_with_a_run_then_roll_back_and_read_it_in_the_history(
    with_second: Palate, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "runs" / "r7", PromptLibrary(with_second.folder), "rerank@2")
    shown = with_second("promote", "rerank@2", "production", "--run", str(run))
    assert "rerank@production is version 2 now (before: 1); run r7 passed" in shown
    assert "at its next start" in shown
    assert with_second("show", "rerank").startswith("---\nname: rerank\nversion: 2\n")
    assert "version 1 now" in with_second(
        "rollback", "production", "rerank", "--because", "worse live"
    )
    assert with_second("show", "rerank") == RERANK.source
    lines = with_second("history", "rerank").splitlines()
    assert lines[0].endswith("rerank@production  1 → 2  promoted  run r7 passed")
    assert lines[1:2] == ["    every threshold holds"]
    assert lines[2].endswith("rerank@production  2 → 1  rolled back")
    assert lines[3:] == ["    worse live"]
    assert with_second("history", "extract") == "nothing was promoted yet\n"


def test_promote_says_which_language_nobody_judged(with_second: Palate, tmp_path: Path) -> None:
    sha256 = PromptLibrary(with_second.folder).find("rerank@2", "en").sha256
    run = write_run(
        tmp_path / "r8",
        PromptLibrary(),
        prompts=[{"variant": "rerank@2", "reference": "rerank@2", "lang": "en", "sha256": sha256}],
        thresholds=[{"text": "rerank@2|m|0 ndcg@10 delta_low >= 0"}],
    )
    shown = with_second("promote", "rerank@2", "production", "--run", str(run))
    assert "note: the run did not judge in zh" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["show", "poem"], 3, "no prompt 'poem'; the prompts are"),
        (["show", "rerank@7"], 3, "no rerank@7; there is rerank@1, rerank@2, rerank@production"),
        (["show", "rerank", "--lang", "fr"], 2, "--lang"),
        (["diff", "rerank@1", "rerank@x"], 3, "no rerank@x"),
        (["history", "poem"], 3, "no prompt 'poem'"),
        (["promote", "rerank@2", "production"], 2, "no run proves rerank@2"),
        (["promote", "rerank@2", "production", "--run", "runs/no"], 2, "no run at runs/no"),
        (["promote", "rerank@2", "production", "--force"], 2, "needs a reason"),
        (["promote", "rerank@2", "Best", "--force", "--because", "x"], 2, "'Best' is no alias"),
        (["rollback", "production", "rerank"], 2, "needs a reason"),
        (["rollback", "production", "rerank", "--because", "x"], 2, "nothing to go back to"),
    ],
)
def test_an_error_is_one_line_and_a_hint(
    with_second: Palate, arguments: list[str], code: int, told: str
) -> None:
    assert told in with_second(*arguments, code=code)


def test_a_broken_file_or_history_is_named(with_second: Palate) -> None:
    history = with_second.folder / "promotions.jsonl"
    history.write_text("{}\n", encoding="utf-8")
    assert "promotions.jsonl, line 1: at" in with_second("list", code=2)
    history.unlink()
    (with_second.folder / "rerank.v2.zh.md").write_text("nothing", encoding="utf-8")
    assert "rerank.v2.zh.md: no front matter" in with_second("list", code=2)


def test_a_folder_of_the_settings_that_is_not_there_is_named(
    palate: Palate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PALATE_PROMPTS_FOLDER", str(tmp_path / "elsewhere"))
    assert "there is no such folder" in palate("list", code=2)
    add_version(tmp_path / "elsewhere", "rerank", 5)
    assert "version: 5" in palate("show", "rerank@5")
