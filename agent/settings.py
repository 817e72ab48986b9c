"""Every setting, and the one place that reads them.

Order, later wins: defaults -> ``palate.toml`` (or ``PALATE_CONFIG``) -> environment
``PALATE_<SECTION>_<NAME>`` -> flags of the command line. Nothing is read at import.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from retrieval.errors import InvalidInput


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="after")
    @classmethod
    def _without_tilde(cls, value: Any) -> Any:
        return value.expanduser() if isinstance(value, Path) else value


class StoreSettings(_Section):
    """Where data lives."""

    home: Path = Field(Path("palate-home"), description="folder of the database, index and logs")
    database_url: str = Field("", description="SQLAlchemy URL; empty = SQLite file under home")


class LLMSettings(_Section):
    """Which language model answers."""

    model: str = Field(
        "auto", description="registry name, or the served name at base_url, or auto, or none"
    )
    base_url: str = Field("", description="any OpenAI-compatible URL ending in /v1")
    api_key: str = Field("", description="sent as the bearer token; never logged", repr=False)
    tier: str = Field("", description="tiny, small or large; empty = from the registry or small")
    vision: bool = Field(False, description="the model at base_url accepts pictures")
    port: int = Field(8199, description="port of a model server that Palate starts itself")
    timeout: float = Field(600.0, gt=0, description="seconds for one batch call")
    parallel: int = Field(32, ge=1, le=256, description="conversations under way at once")
    context_tokens: int = Field(4096, ge=512, description="context window that is served")
    cache_dir: Path = Field(
        Path(platformdirs.user_cache_dir("palate")), description="folder of prepared models"
    )


class EmbedSettings(_Section):
    """Which embedder fills the vector index."""

    model: str = Field(
        "use-multilingual-v3",
        description="use-multilingual-v3 (bundled), or a sentence-transformers name or path",
    )


class ProfileSettings(_Section):
    """How profiles are built from evidence."""

    write_with_llm: bool = Field(
        True, description="the LLM writes profile texts from rows; off = a template does"
    )
    tau_days: float = Field(
        730.0, gt=0, description="days after which evidence counts 1/e of what it did when new"
    )
    max_rows: int = Field(24, ge=4, le=200, description="strongest rows kept in one profile")
    max_texts: int = Field(
        100, ge=1, description="newest reviews, pages or posts that are read for one profile"
    )


class RetrievalSettings(_Section):
    """How wide the pool is, and how a ranked list is shown."""

    pool_per_source: int = Field(50, ge=1, le=1000, description="top k of each candidate source")
    max_n: int = Field(200, ge=1, description="largest n that a request may ask for")
    ease_max_items: int = Field(
        20_000, ge=1, description="above this catalogue size iALS, not EASE"
    )
    diversity: float = Field(
        0.0, ge=0, le=1, description="0 = the ranked order, 1 = each item unlike those above it"
    )
    duplicates: float = Field(
        0.98, ge=0, le=1, description="cosine from which near-duplicates become one; 0 = never"
    )
    duplicates_may_differ: tuple[str, ...] = Field(
        (), description="attributes in which near-duplicates may differ, e.g. price, seller"
    )
    pages_mb: int = Field(64, ge=0, description="MiB of ranked lists kept for their next pages")
    pages_minutes: float = Field(15.0, gt=0, description="how long one is kept after its last page")


class RerankSettings(_Section):
    """The LLM's part of the score."""

    enabled: bool = Field(True, description="ask the LLM at all")
    candidates: int = Field(12, ge=1, le=200, description="how many of the pool's best it judges")
    deadline: float = Field(60.0, gt=0, description="seconds after which the fused ranking stands")
    weight: float = Field(0.5, ge=0, description="lambda of F = S + lambda*clip(z, +-2)")
    max_rise: int = Field(3, ge=0, description="m: no item rises more than this over its base rank")
    show_bins: bool = Field(False, description="candidate cards show five-level source bins")


class RulesSettings(_Section):
    """Business rules: what may be shown, and what goes where."""

    file: str = Field("", description="TOML file of rules, see docs/rules.md; empty = none")


class PromptSettings(_Section):
    """Your own versions of prompts, beside the shipped ones."""

    folder: str = Field(
        "", description="folder of your prompt files and promotions; empty = prompts under home"
    )


class ServerSettings(_Section):
    """Who may ask."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 = any free")
    threads: int = Field(8, ge=1, le=256, description="worker threads")
    api_keys: tuple[str, ...] = Field((), description="accepted bearer tokens", repr=False)
    max_body_mb: int = Field(64, ge=1, description="largest request body in MiB")


class LogSettings(_Section):
    """Which requests are kept for evaluation: none, unless switched on."""

    requests: bool = Field(False, description="keep requests, redacted, with what was answered")
    consent: Literal["ask", "assume"] = Field(
        "ask",
        description='ask = only requests that say "log": true; assume = all that do not say false',
    )
    pseudonyms: bool = Field(
        True, description="user ids are kept as hashes under the key in log.key"
    )
    keep_days: float = Field(90.0, gt=0, description="days after which a request is forgotten")
    depth: int = Field(50, ge=1, le=1000, description="best of the pool kept with each request")
    window_hours: float = Field(
        72.0, gt=0, description="hours in which what a user takes counts for what was shown"
    )


class ExperimentSettings(_Section):
    """One experiment at a time, on requests that are kept."""

    name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="empty = none; another name deals the users out anew",
    )
    kind: Literal["ab", "interleave"] = Field(
        "ab", description="ab = every user sees one arm; interleave = all see both in one list"
    )
    arms: tuple[str, ...] = Field(
        (),
        description="baseline first: off (no LLM), on (as set), or a prompt such as rerank@2",
    )
    weights: tuple[float, ...] = Field((), description="share of each arm; empty = equal")
    explore: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of answers whose top is shuffled; needed for off-policy estimates",
    )
    explore_depth: int = Field(5, ge=2, le=50, description="places that are shuffled then")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if bool(self.name) != bool(self.arms):
            raise ValueError("an experiment has a name and arms; without one leave both empty")
        if self.arms and (len(self.arms) < 2 or len(set(self.arms)) != len(self.arms)):
            raise ValueError("give two arms or more, each once")
        if self.weights and len(self.weights) != len(self.arms):
            raise ValueError("give every arm a weight, or none")
        if not all(0 < weight < inf for weight in self.weights):
            raise ValueError("a weight is a number above 0")
        if self.name and self.kind == "interleave":
            if len(self.arms) != 2 or self.weights:
                raise ValueError("interleaving takes two arms and no weights")
            if self.explore:
                raise ValueError("interleaving does not explore: its draft is random already")
        return self


class Settings(_Section):
    """All sections."""

    store: StoreSettings = StoreSettings()
    llm: LLMSettings = LLMSettings()
    embed: EmbedSettings = EmbedSettings()
    profiles: ProfileSettings = ProfileSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    rerank: RerankSettings = RerankSettings()
    rules: RulesSettings = RulesSettings()
    prompts: PromptSettings = PromptSettings()
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    experiment: ExperimentSettings = ExperimentSettings()

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the catalogue."""
        return self.store.database_url or f"sqlite:///{self.store.home / 'palate.sqlite3'}"

    @property
    def prompts_folder(self) -> Path:
        """Where the operator's own prompts are; it need not exist."""
        own = self.prompts.folder
        return Path(own).expanduser() if own else self.store.home / "prompts"


def read_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Read file, environment and overrides, in that order.

    Raises:
        InvalidInput: names the setting, its value and what would be accepted.
    """
    environ = os.environ if environ is None else environ
    path = config or (Path(environ["PALATE_CONFIG"]) if "PALATE_CONFIG" in environ else None)
    merged: dict[str, dict[str, Any]] = {name: {} for name in Settings.model_fields}
    if path is None and Path("palate.toml").is_file():
        path = Path("palate.toml")
    if path is not None:
        for section, values in _read_toml(path).items():
            if section not in merged or not isinstance(values, dict):
                raise InvalidInput(
                    f"{path}: unknown section {section!r}",
                    f"the sections are {', '.join(merged)}",
                )
            merged[section].update(values)
    _refuse_misspelt(environ)
    for section, values in merged.items():
        for name in type(Settings.model_fields[section].default).model_fields:
            key = f"PALATE_{section}_{name}".upper()
            if key in environ:
                values[name] = _from_text(section, name, environ[key])
        values.update((overrides or {}).get(section, {}))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        value = "…" if _is_secret(where) else repr(first.get("input"))
        raise InvalidInput(
            f"setting {where} = {value}: {first['msg']}",
            "see deploy/palate.example.toml for every setting",
        ) from error


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """A variable of a section that no setting reads would be ignored, and its owner puzzled."""
    known = {
        f"PALATE_{section}_{name}".upper()
        for section, field in Settings.model_fields.items()
        for name in type(field.default).model_fields
    }
    prefixes = tuple(f"PALATE_{section}_".upper() for section in Settings.model_fields)
    for key in sorted(environ):
        if key.startswith(prefixes) and key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see deploy/palate.example.toml"
            raise InvalidInput(f"{key} is no setting", hint)


def _is_secret(where: str) -> bool:
    section, _, name = where.partition(".")
    fields = type(Settings.model_fields[section].default).model_fields
    field = fields.get(name.partition(".")[0])
    return field is not None and not field.repr


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput(
            f"no settings file at {path}", "check --config or PALATE_CONFIG"
        ) from error
    except OSError as error:
        raise InvalidInput(f"the settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}") from error


def _from_text(section: str, name: str, text: str) -> Any:
    default = getattr(Settings.model_fields[section].default, name)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
