"""One evaluation as a TOML file, validated before anything runs."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eval.metrics import parse_metric
from retrieval.errors import InvalidInput

REAL_DATA_ENV = "PALATE_REAL_DATA"


_Config = TypeVar("_Config", bound=BaseModel)


class Table(BaseModel):
    """One table of a config: unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(Table):
    """Where the interactions come from."""

    format: Literal["palate", "xwines", "amazon", "movielens"] = "palate"
    path: Path = Field(description="folder; relative ones start at the config's folder")


class SplitConfig(Table):
    """How train and test are told apart."""

    kind: Literal["leave-last-out", "global-temporal"] = "leave-last-out"
    min_interactions: int = Field(3, ge=2)
    test_fraction: float = Field(0.2, gt=0, lt=1)


class SystemConfig(Table):
    """One thing to compare. ``params`` go to the estimator."""

    name: str
    kind: Literal["popular", "item-knn", "ease", "ials", "bpr", "markov", "session-knn"]
    params: dict[str, float | int | None] = {}


class Expectation(Table):
    """A threshold: the run fails when the figure is farther than ``within`` from ``value``."""

    system: str
    metric: str
    value: float
    within: float = Field(0.001, gt=0)


class EvalConfig(Table):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    data: DataConfig
    split: SplitConfig = SplitConfig()
    metrics: tuple[str, ...] = ("ndcg@10", "hr@10", "recall@50")
    seed: int = 0
    systems: tuple[SystemConfig, ...] = Field(min_length=1)
    expect: tuple[Expectation, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parse_metric(name)
        return names


def read_config(path: Path) -> EvalConfig:
    """Read and check a config; ``data.path`` comes back absolute.

    Raises:
        InvalidInput: no such file, broken TOML, an unknown or impossible entry (named).
    """
    config = validated(EvalConfig, read_toml(path), path)
    names = [system.name for system in config.systems]
    for expected in config.expect:
        if expected.system not in names or expected.metric not in config.metrics:
            raise InvalidInput(
                f"{path}: expect names {expected.system!r} / {expected.metric!r}",
                f"systems are {', '.join(names)}; metrics are {', '.join(config.metrics)}",
            )
    data = config.data.model_copy(update={"path": absolute_path(path.parent, config.data.path)})
    return config.model_copy(update={"data": data})


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as it stands.

    Raises:
        InvalidInput: no such file, or broken TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", "give a .toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}") from error


def validated(model: type[_Config], raw: Mapping[str, Any], path: Path) -> _Config:
    """The config, or ``InvalidInput`` that names the entry which is wrong."""
    try:
        return model.model_validate(raw)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", error.hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            problem = "there is no such entry"
        raise InvalidInput(
            f"{path}: {where + ': ' if where else ''}{problem}", "see eval/configs/"
        ) from error


def absolute_path(folder: Path, path: Path) -> Path:
    """A path of a config, which starts at the config's folder.

    ``${PALATE_REAL_DATA}`` in it stands for that environment variable, or for the
    ``shared/data`` folder beside the checkout when it is not set.
    """
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    text = str(path).replace(f"${{{REAL_DATA_ENV}}}", os.environ.get(REAL_DATA_ENV, str(beside)))
    return (folder / text).absolute()
