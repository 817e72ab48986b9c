"""The models that Palate knows by name: digests, licences and where the weights come from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import InvalidInput, NotFound

Role = Literal["llm", "image-tagger", "embedder"]
Tier = Literal["tiny", "small", "large"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalSource(_Row):
    """A file that somebody put under the cache folder's ``local/``."""

    kind: Literal["local"]
    path: str


class HubSource(_Row):
    """A file of a model hub."""

    kind: Literal["hub"]
    repo: str
    revision: str = "main"
    path: str


class PackagesSource(_Row):
    """A file inside one or several wheels, concatenated in order. ``{n}`` counts from 1."""

    kind: Literal["packages"]
    package: str
    version: str
    member: str
    parts: int = Field(1, ge=1)


Source = Annotated[LocalSource | HubSource | PackagesSource, Field(discriminator="kind")]


class ModelEntry(_Row):
    """One model. ``sha256`` and ``bytes`` are those of ``file``, before any conversion.

    ``kv_bytes_per_token`` is the size of the attention cache at two bytes a number.
    """

    name: str
    role: Role
    tier: Tier
    licence: str
    revision: str
    about: str
    languages: tuple[str, ...]
    file: str
    format: Literal["gguf", "pth", "npz"]
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    sources: tuple[Source, ...] = Field(min_length=1)
    context_tokens: int = 0
    weight_parameters: int = 0
    kv_bytes_per_token: int = 0

    @property
    def model_id(self) -> str:
        """Name and digest: what a cache key or a trace should hold."""
        return f"{self.name}@{self.sha256[:12]}"


def load_registry(path: Path | None = None) -> dict[str, ModelEntry]:
    """Every entry by name, in the file's order.

    Args:
        path: another registry file; the built-in one when ``None``.

    Raises:
        InvalidInput: the file is missing or an entry is malformed; names entry and field.
    """
    path = path or Path(__file__).with_name("registry.toml")
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise InvalidInput(f"{path} is no model registry: {error}") from error
    entries = {}
    for name, row in rows.items():
        try:
            entries[name] = ModelEntry(name=name, **row)
        except (ValidationError, TypeError) as error:
            raise InvalidInput(f"{path}: model {name!r}: {error}") from error
    return entries


def find_model(name: str, *, role: Role | None = None) -> ModelEntry:
    """The entry called ``name``.

    Raises:
        NotFound: no entry of that name (and role); the hint lists those there are.
    """
    entries = {key: entry for key, entry in load_registry().items() if role in (None, entry.role)}
    if name not in entries:
        raise NotFound(
            f"no {role or 'model'} called {name!r} in the registry",
            f"it knows {', '.join(entries)}; for any other model set llm.base_url to its server",
        )
    return entries[name]
