"""A prompt run as a TOML file: what is asked, which prompts and models answer, what must hold.

A config with ``[[variants]]`` is a prompt run; one with ``[[systems]]`` compares estimators
(``eval.config``). Both are read by ``palate eval run``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from eval.config import Table, absolute_path, read_toml, validated
from eval.metrics import parse_metric
from eval.ranking import POOL_RECALL

_Table = TypeVar("_Table", bound=Table)
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=_NAME, max_length=60)]


LogFormat = Literal["palate", "xwines", "amazon", "movielens"]


class PromptData(Table):
    """What is asked about.

    A log is split in time; ``questions`` reads a JSONL file of ready questions, ``games6k``
    LLMRank's histories and candidate lists.
    """

    format: LogFormat | Literal["games6k", "questions"] = "palate"
    path: Path = Field(description="folder or file; relative ones start at the config's folder")


class PromptSplit(Table):
    """Three periods by two instants: T1 fits sources, T2 fits weights and prompts, T3 tests."""

    tune_fraction: float = Field(0.1, gt=0, lt=1, description="share of events in T2")
    test_fraction: float = Field(0.1, gt=0, lt=1, description="share of events in T3")
    period: Literal["tune", "test"] = Field("test", description="which period is asked about")


class PoolConfig(Table):
    """The candidates and what is told of them."""

    per_source: int = Field(50, ge=1, le=1000)
    judged: int = Field(20, ge=2, le=200, description="how many of the best by S are judged")
    home: Path | None = Field(None, description="profiles from this home; none newer than the cut")
    candidates: int = Field(20, ge=2, le=101, description="games6k: positives included")


class VariantConfig(Table):
    """One prompt under test."""

    name: Name
    prompt: str = "rerank"
    folder: Path | None = Field(None, description="further versions; otherwise prompts.folder")
    bins: bool = False
    weight: float | Literal["cross-validated"] = 0.5
    max_rise: int = Field(3, ge=0)

    @field_validator("weight", mode="before")
    @classmethod
    def _not_negative(cls, weight: object) -> object:
        number = weight if isinstance(weight, float | int) else -1
        if weight != "cross-validated" and not 0 <= number < float("inf"):
            raise ValueError("a weight is a number >= 0, or 'cross-validated'")
        return weight


class ModelConfig(Table):
    """One model that answers, or answered.

    ``model`` is what ``llm.model`` accepts. With ``cassette`` the answers are recorded into
    that file and replayed from it; ``replay = true`` never asks.
    """

    name: Name
    model: str = "auto"
    base_url: str = ""
    port: int | None = None
    cassette: Path | None = None
    replay: bool = False

    @model_validator(mode="after")
    def _replays_something(self) -> ModelConfig:
        if self.replay and self.cassette is None:
            raise ValueError("replay needs a cassette")
        return self


class ControlConfig(Table):
    """What every prompt has to beat. Random and popularity scorers cost nothing."""

    shuffled_profile: bool = Field(
        True, description="ask again with another person's text: doubles the calls"
    )


class ProbeConfig(Table):
    """On how many questions each probe looks; 0 leaves it out. Calibration is free."""

    position: int = Field(0, ge=0, description="gold at five positions: five times the calls")
    bins: int = Field(0, ge=0, description="bins the other way round: as many calls again")
    injection: int = Field(0, ge=0, description="one prompt an attack and question")
    grounding: int = Field(0, ge=0, description="explanations checked; needs pool.home")


class StatsConfig(Table):
    """How sure a difference must be."""

    alpha: float = Field(0.05, gt=0, lt=1)
    power: float = Field(0.8, gt=0, lt=1)
    detect: float = Field(0.01, gt=0, lt=1, description="difference worth detecting")
    sd: float = Field(0.10, gt=0, lt=1, description="guess of the paired standard deviation")
    sequential: bool = Field(False, description="stop asking a variant that is decided")
    block: int = Field(10, ge=1, description="questions between two looks")


FIGURES = (
    "mean", "low", "high", "delta", "delta_low", "delta_high", "p_holm", "over_shuffled_low",
    "failed_share", "tokens_per_query", "p95_ms", "ece", "kendall_tau", "max_lift", "mean_lift",
)  # fmt: skip


OF_EVERY_METRIC = ("mean", "low", "high")
OF_METRICS = (*OF_EVERY_METRIC, "delta", "delta_low", "delta_high", "p_holm", "over_shuffled_low")
"""Figures of a metric; all but the first three are of the primary one only."""


class Threshold(Table):
    """One bar: ``figure`` of ``system`` must be ``at_least`` or ``at_most``.

    ``system`` may be a variant's name: then every model and seed of it must hold. ``metric``
    is the primary one by default.
    """

    system: str
    figure: str = "mean"
    metric: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bar(self) -> Threshold:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give at_least or at_most")
        if self.figure not in FIGURES:
            raise ValueError(f"figure is one of {', '.join(FIGURES)}")
        return self


class PromptRunConfig(Table):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)
    data: PromptData
    split: PromptSplit = PromptSplit()
    pool: PoolConfig = PoolConfig()
    primary: str = "ndcg@10"
    metrics: tuple[str, ...] = ("ndcg@10", "hr@10", "recall@10", "recall@50", POOL_RECALL)
    seed: int = Field(0, ge=0, description="of the sample of questions and every resampling")
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="one repeat of all calls each")
    limit: int | None = Field(None, ge=1, description="at most this many questions")
    parallel: int = Field(1, ge=1, le=64, description="questions under way at once")
    max_failed: float = Field(0.05, ge=0, le=1, description="share of failed judgements")
    variants: tuple[VariantConfig, ...] = Field(min_length=1)
    models: tuple[ModelConfig, ...] = Field(min_length=1)
    controls: ControlConfig = ControlConfig()
    probes: ProbeConfig = ProbeConfig()
    stats: StatsConfig = StatsConfig()
    thresholds: tuple[Threshold, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name != POOL_RECALL:
                parse_metric(name)
        return names

    @model_validator(mode="after")
    def _consistent(self) -> PromptRunConfig:
        for what, names in (
            ("variants", [v.name for v in self.variants]),
            ("models", [m.name for m in self.models]),
            ("seeds", [str(seed) for seed in self.seeds]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} has {twice[0]!r} twice")
        if self.stats.sequential and any(v.weight == "cross-validated" for v in self.variants):
            raise ValueError("stats.sequential needs weights that are numbers: it looks early")
        if self.probes.grounding and self.pool.home is None:
            raise ValueError(
                "probes.grounding needs pool.home: a home whose profiles have evidence"
            )
        if self.primary not in self.metrics:
            raise ValueError(f"primary {self.primary!r} is none of the metrics")
        for bar in self.thresholds:
            if bar.metric and bar.metric not in self.metrics:
                raise ValueError(f"a threshold names the metric {bar.metric!r}, none of metrics")
            if bar.metric not in ("", self.primary) and bar.figure not in OF_EVERY_METRIC:
                raise ValueError(
                    f"a threshold wants {bar.figure} of {bar.metric}: of other metrics than "
                    f"{self.primary} there are {', '.join(OF_EVERY_METRIC)}"
                )
            if bar.system not in self.known_systems():
                raise ValueError(
                    f"a threshold names the system {bar.system!r}; there are "
                    f"{', '.join(self.known_systems())}"
                )
        return self

    def known_systems(self) -> list[str]:
        """Names that a threshold may use."""
        variants = [variant.name for variant in self.variants]
        return ["S", *variants, *self.system_names()]

    def system_names(self) -> list[str]:
        """``VARIANT|MODEL|SEED`` of everything that is asked."""
        return [
            system_name(variant.name, model.name, seed)
            for variant in self.variants
            for model in self.models
            for seed in self.seeds
        ]


def system_name(variant: str, model: str, seed: int) -> str:
    """``VARIANT|MODEL|SEED``."""
    return f"{variant}|{model}|{seed}"


def read_prompt_config(path: Path) -> PromptRunConfig:
    """Read and check a prompt run's config; paths come back absolute.

    Raises:
        InvalidInput: no such file, broken TOML, an unknown or impossible entry (named).
    """
    config = validated(PromptRunConfig, read_toml(path), path)
    folder = path.parent
    return config.model_copy(
        update={
            "data": config.data.model_copy(
                update={"path": absolute_path(folder, config.data.path)}
            ),
            "pool": config.pool.model_copy(
                update={"home": config.pool.home and absolute_path(folder, config.pool.home)}
            ),
            "variants": tuple(
                one.model_copy(update={"folder": one.folder and absolute_path(folder, one.folder)})
                for one in config.variants
            ),
            "models": tuple(
                one.model_copy(
                    update={"cassette": one.cassette and absolute_path(folder, one.cassette)}
                )
                for one in config.models
            ),
        }
    )
