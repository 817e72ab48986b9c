"""An installation uses its own production versions, and says so when it cannot."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.build import build_recommender
from agent.profiles.extract import chunks_of
from agent.profiles.subjects import prompt_hashes
from agent.prompting import open_prompts
from agent.settings import LLMSettings, PromptSettings, Settings, StoreSettings
from prompts.aliases import promote
from retrieval.errors import InvalidInput
from retrieval.types import Evidence
from tests.prompts.folders import add_version

AT = datetime(2026, 5, 1, tzinfo=UTC)


def settings_at(home: Path, folder: str = "") -> Settings:
    return Settings(
        store=StoreSettings(home=home),
        llm=LLMSettings(model="none"),
        prompts=PromptSettings(folder=folder),
    )


def put_in_production(folder: Path, name: str, number: int) -> None:
    add_version(folder, name, number)
    promote(folder, f"{name}@{number}", "production", at=AT, force=True, because="a test")


def test_a_new_home_has_the_shipped_prompts_and_stays_empty(tmp_path: Path) -> None:
    prompts = open_prompts(settings_at(tmp_path / "home"))
    assert {prompts.find(name, "en").number for name in prompts.names()} == {1}
    assert not (tmp_path / "home").exists()


def test_own_prompts_are_under_home_or_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_production(tmp_path / "home" / "prompts", "rerank", 2)
    assert open_prompts(settings_at(tmp_path / "home")).find("rerank", "en").number == 2
    monkeypatch.setenv("HOME", str(tmp_path))
    put_in_production(tmp_path / "ours", "rerank", 3)
    prompts = open_prompts(settings_at(tmp_path / "home", "~/ours"))
    assert prompts.find("rerank", "en").number == 3


def test_a_folder_that_the_settings_name_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no such folder"):
        open_prompts(settings_at(tmp_path, str(tmp_path / "nowhere")))


def test_nothing_starts_with_a_production_prompt_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "prompts"
    put_in_production(folder, "rerank", 2)
    for path in folder.glob("*.md"):
        path.unlink()
    with pytest.raises(InvalidInput, match="whose files are gone") as caught:
        build_recommender(settings_at(tmp_path / "home"))
    assert str(folder) in caught.value.hint


def test_nothing_starts_with_a_faulty_file(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "prompts"
    folder.mkdir(parents=True)
    (folder / "rerank.v2.en.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"rerank\.v2\.en\.md: no front matter"):
        build_recommender(settings_at(tmp_path / "home"))


def test_another_extract_prompt_reads_every_text_and_writes_every_profile_anew(
    tmp_path: Path,
) -> None:
    text = "The lid is loose, but the handle is great."
    evidence = Evidence("r1", "item", "i1", "review", text, "en", "ann", AT, 1.0, "sha")
    shipped = open_prompts(settings_at(tmp_path / "home"))
    put_in_production(tmp_path / "home" / "prompts", "extract", 2)
    own = open_prompts(settings_at(tmp_path / "home"))
    (before,), _ = chunks_of(evidence, "m", shipped)
    (after,), _ = chunks_of(evidence, "m", own)
    assert before.text == after.text
    assert before.key != after.key
    assert prompt_hashes(shipped) != prompt_hashes(own)
