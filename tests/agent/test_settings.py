"""Settings: where they come from, what is refused, and that the example file tells all."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agent.settings import Settings, read_settings
from retrieval.errors import InvalidInput

EXAMPLE = Path(__file__).parents[2] / "deploy" / "palate.example.toml"
# The default depends on who runs it, so the example shows it as a comment.
SHOWN_AS = {("llm", "cache_dir"): '# cache_dir = "~/.cache/palate"'}
HEAD = """\
# Every setting of Palate with its default. Copy to palate.toml and keep what you change.
#
# Later wins: this file (./palate.toml, or PALATE_CONFIG, or --config), then the environment
# (PALATE_<SECTION>_<NAME>, e.g. PALATE_SERVER_PORT=9000; lists with commas), then flags.
"""


def as_toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(as_toml(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(str(value))


def expected_example() -> str:
    parts = [HEAD]
    for section, section_field in Settings.model_fields.items():
        default: BaseModel = section_field.default
        parts.append(f"\n# {type(default).__doc__}\n[{section}]\n")
        for name, field in type(default).model_fields.items():
            shown = SHOWN_AS.get((section, name), f"{name} = {as_toml(getattr(default, name))}")
            assert field.description, f"{section}.{name} says nothing about itself"
            parts.append(f"# {field.description}\n{shown}\n")
    return "".join(parts)


def test_the_example_file_holds_every_setting_with_its_default_and_description() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == expected_example()


def test_the_example_file_read_as_settings_is_the_defaults() -> None:
    assert read_settings(EXAMPLE, environ={}) == Settings()


def test_later_sources_win(tmp_path: Path) -> None:
    config = tmp_path / "palate.toml"
    config.write_text("[server]\nport = 1\nthreads = 2\nmax_body_mb = 3\n", encoding="utf-8")
    environ = {"PALATE_SERVER_THREADS": "20", "PALATE_SERVER_MAX_BODY_MB": "30"}
    server = read_settings(config, environ, {"server": {"max_body_mb": 300}}).server
    assert (server.port, server.threads, server.max_body_mb) == (1, 20, 300)
    by_name = read_settings(environ={"PALATE_CONFIG": str(config)})
    assert by_name.server.port == 1


def test_a_file_in_the_working_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(environ={}) == Settings()
    (tmp_path / "palate.toml").write_text("[llm]\nmodel = 'none'\n", encoding="utf-8")
    assert read_settings(environ={}).llm.model == "none"


@pytest.mark.parametrize(
    ("key", "text", "section", "name", "value"),
    [
        ("PALATE_RERANK_ENABLED", "false", "rerank", "enabled", False),
        ("PALATE_RERANK_DEADLINE", "2.5", "rerank", "deadline", 2.5),
        ("PALATE_SERVER_API_KEYS", " a, b ,,", "server", "api_keys", ("a", "b")),
        ("PALATE_SERVER_API_KEYS", "", "server", "api_keys", ()),
        ("PALATE_STORE_HOME", "/srv/p", "store", "home", Path("/srv/p")),
        ("PALATE_STORE_HOME", "~/p", "store", "home", Path.home() / "p"),
        ("PALATE_LLM_API_KEY", "a,b", "llm", "api_key", "a,b"),
    ],
)
def test_the_environment_is_text_made_into_values(
    key: str, text: str, section: str, name: str, value: object
) -> None:
    settings = read_settings(environ={key: text})
    assert getattr(getattr(settings, section), name) == value


def test_every_setting_can_be_set_by_environment() -> None:
    for section, field in Settings.model_fields.items():
        for name in type(field.default).model_fields:
            value = getattr(field.default, name)
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            assert read_settings(environ={f"PALATE_{section}_{name}".upper(): text}) == Settings()


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PALATE_SERVER_PORT": "eighty"}, "server.port = 'eighty'"),
        ({"PALATE_SERVER_PORT": "70000"}, "server.port = '70000'"),
        ({"PALATE_SERVER_PORT": "-1"}, "server.port = '-1'"),
        ({"PALATE_SERVER_THREADS": "0"}, "server.threads = '0'"),
        ({"PALATE_RERANK_DEADLINE": "nan"}, "rerank.deadline = 'nan'"),
        ({"PALATE_RERANK_ENABLED": "perhaps"}, "rerank.enabled = 'perhaps'"),
        ({"PALATE_LLM_TIMEOUT": ""}, "llm.timeout = ''"),
        ({"PALATE_SERVER_PROT": "1"}, "PALATE_SERVER_PROT is no setting"),
        ({"PALATE_LLM_": "1"}, "PALATE_LLM_ is no setting"),
    ],
)
def test_a_bad_value_names_setting_and_value(environ: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_settings(environ=environ)
    assert named in caught.value.message
    assert caught.value.hint


def test_a_misspelt_variable_is_told_the_near_one() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_settings(environ={"PALATE_SERVER_API_KEY": "k"})
    assert caught.value.hint == "did you mean PALATE_SERVER_API_KEYS?"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"[sever]\nport = 1\n", "unknown section 'sever'"),
        (b"port = 1\n", "unknown section 'port'"),
        (b"server = 3\n", "unknown section 'server'"),
        (b"[server]\nprot = 1\n", "server.prot = 1"),
        (b"[server]\nport = 'x'\n", "server.port = 'x'"),
        (b"[server\n", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
    ],
)
def test_a_bad_file_names_what_is_wrong(tmp_path: Path, text: bytes, named: str) -> None:
    config = tmp_path / "palate.toml"
    config.write_bytes(text)
    with pytest.raises(InvalidInput) as caught:
        read_settings(config, environ={})
    assert named in caught.value.message


def test_a_missing_file_or_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no settings file"):
        read_settings(tmp_path / "none.toml", environ={})
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_settings(tmp_path, environ={})


def test_secrets_are_shown_nowhere() -> None:
    settings = read_settings(
        environ={"PALATE_SERVER_API_KEYS": "s3cret", "PALATE_LLM_API_KEY": "s3cret"}
    )
    assert "s3cret" not in repr(settings)
    for section, name in (("server", "api_keys"), ("llm", "api_key")):
        with pytest.raises(InvalidInput) as caught:
            read_settings(environ={}, overrides={section: {name: {"s3cret": 1}}})
        assert "s3cret" not in caught.value.message
        assert f"{section}.{name}" in caught.value.message


def test_the_example_is_valid_toml_for_other_readers() -> None:
    assert set(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))) == set(Settings.model_fields)
