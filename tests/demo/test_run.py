"""The demo's driver: whole, without a language model, and again with one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.settings import read_settings
from agent.stores import open_stores
from demo import run as demo
from retrieval.errors import ModelUnavailable
from retrieval.types import Profile, content_hash


class SpokenPictures:
    """Describes a picture by its name: the real reader has tests of its own and takes minutes."""

    captioner_id = "names@1"
    trust = 0.5

    def caption(self, path: Path) -> str:
        return f"Picture of {path.stem}, {content_hash(path.stem)[:4]}."


@pytest.fixture
def once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    """Runs the demo with a model of the given name; gives the exit code and all that it said."""
    monkeypatch.setattr(demo, "choose_captioner", lambda *_: SpokenPictures())

    def run(model: str) -> tuple[int, str]:
        monkeypatch.setenv("PALATE_LLM_MODEL", model)
        code = demo.main(["--once", "--home", str(tmp_path / "home")])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_the_demo_answers_without_a_model_and_goes_on_from_there_when_one_comes(
    once: Callable[[str], tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> Path:
        raise ModelUnavailable("no source of the model works", "connect once")

    monkeypatch.setattr(demo, "prepare", unreachable)
    code, said = once("smollm2-135m-instruct")
    assert code == 0, said
    assert "No language model: no source of the model works." in said
    assert "connect once" in said
    assert "the fused score alone ranks" in said
    assert "pictures: 43, 43 described now" in said
    assert [title for title, _ in demo.REQUESTS if title not in said] == []
    assert said.count("ranked by fused (") == 3

    code, said = once("scripted")
    assert code == 0, said
    assert "pictures: 43, 0 described now" in said
    assert "reviews: 250 rows, 0 new" in said
    assert said.count("ranked by fused+llm (") == 3
    assert "together" in said


def test_a_wrong_setting_is_one_line_with_a_hint(
    once: Callable[[str], tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_RERANK_CANDIDATES", "many")
    code, said = once("none")
    assert code == 2
    assert "error: setting rerank.candidates = 'many'" in said
    assert "Traceback" not in said


def test_a_later_run_without_a_model_keeps_what_a_model_read(
    once: Callable[[str], tuple[int, str]], tmp_path: Path
) -> None:
    def profile() -> Profile | None:
        settings = read_settings(environ={}, overrides={"store": {"home": tmp_path / "home"}})
        with open_stores(settings) as stores:
            return stores.profiles.get("item", "coffee-yirgacheffe")

    assert once("scripted")[0] == 0
    read = profile()
    assert read is not None
    assert any(row.polarity == "like" for row in read.rows)
    code, said = once("none")
    assert code == 0, said
    assert said.count("ranked by fused (") == 3
    assert profile() == read
