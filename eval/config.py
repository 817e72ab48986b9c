"""One evaluation as a TOML file, validated before anything runs."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eval.metrics import parse_metric
from retrieval.errors import InvalidInput

REAL_DATA_ENV = "PALATE_REAL_DATA"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Table):
    """Where the interactions come from."""

    format: Literal["palate", "xwines", "amazon", "movielens"] = "palate"
    path: Path = Field(description="folder; relative ones start at the config's folder")


class SplitConfig(_Table):
    """How train and test are told apart."""

    kind: Literal["leave-last-out", "global-temporal"] = "leave-last-out"
    min_interactions: int = Field(3, ge=2)
    test_fraction: float = Field(0.2, gt=0, lt=1)


class SystemConfig(_Table):
    """One thing to compare. ``params`` go to the estimator."""

    name: str
    kind: Literal["popular", "item-knn", "ease", "ials"]
    params: dict[str, float | int | None] = {}


class Expectation(_Table):
    """A threshold: the run fails when the figure is farther than ``within`` from ``value``."""

    system: str
    metric: str
    value: float
    within: float = Field(0.001, gt=0)


class EvalConfig(_Table):
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

    ``${PALATE_REAL_DATA}`` in a path stands for that environment variable, or for the
    ``shared/data`` folder beside the checkout when it is not set.

    Raises:
        InvalidInput: no such file, broken TOML, an unknown or impossible entry (named).
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        config = EvalConfig.model_validate(raw)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", "give a .toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: {where}: {first['msg']}", "see eval/configs/") from error
    names = [system.name for system in config.systems]
    for expected in config.expect:
        if expected.system not in names or expected.metric not in config.metrics:
            raise InvalidInput(
                f"{path}: expect names {expected.system!r} / {expected.metric!r}",
                f"systems are {', '.join(names)}; metrics are {', '.join(config.metrics)}",
            )
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    text = str(config.data.path).replace(
        f"${{{REAL_DATA_ENV}}}", os.environ.get(REAL_DATA_ENV, str(beside))
    )
    data = config.data.model_copy(update={"path": (path.parent / text).absolute()})
    return config.model_copy(update={"data": data})
