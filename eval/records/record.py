"""``record.json`` of a prompt run: everything that it found, and what it takes to run it again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from eval.records.folder import RECORD
from eval.records.whole import write_json
from retrieval.errors import InvalidInput, NotFound

FORMAT: Literal[1] = 1


def _nan_is_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_nan_is_none)]
"""``None`` where there was nothing to measure; NaN and the infinities become ``None``."""


class _Part(BaseModel):
    # Attributes: the statistics hand over dataclasses with these very names.
    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Model(_Part):
    """A language model; ``replayed`` when every answer came from a recording."""

    name: str
    model_id: str
    tier: str
    replayed: bool = False


class PromptUsed(_Part):
    """A prompt file that was shown: ``reference`` is ``NAME@NUMBER``."""

    variant: str
    reference: str
    lang: str
    sha256: str


class Figure(_Part):
    """A mean over queries with its 95 % interval; ``empty`` queries had nothing to measure."""

    mean: Number
    low: Number
    high: Number
    empty: int = 0


class Stratum(_Part):
    """The primary metric over one group's queries; ``delta`` is the mean gain over S."""

    n: int
    mean: Number
    low: Number
    high: Number
    delta: Number


class Cost(_Part):
    """Of one system. ``calls`` are requests, ``asked`` items; replayed items cost as recorded."""

    calls: int = 0
    asked: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    p50_ms: Number = None
    p95_ms: Number = None
    tokens_per_query: Number = None


class Comparison(_Part):
    """A paired comparison with another system; ``mean`` is this one minus that one."""

    against: str
    metric: str
    n: int
    mean: Number
    low: Number
    high: Number
    p: Number
    p_holm: Number
    effect: Number
    wins: int
    ties: int
    losses: int


class Sequential(_Part):
    """Where an early stop stood: after query ``at``; "" when it was not asked for."""

    decision: Literal["better", "worse", "undecided", ""]
    at: int
    low: Number
    high: Number


class Probes(_Part):
    """What a variant's probes found; absent ones were not asked for. Shapes: docs/evaluation.md."""

    position_bias: list[dict[str, Any]] | None = None
    position: dict[str, Any] | None = None
    kendall_tau: Number = None
    bin_ablation: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    injection: dict[str, Any] | None = None
    grounding: dict[str, Any] | None = None


class System(_Part):
    """One thing compared, see the words in docs/evaluation.md."""

    name: str
    kind: Literal["base", "source", "variant", "control"]
    variant: str | None = None
    model: str | None = None
    seed: int | None = None
    figures: dict[str, Figure]
    coverage: Number = None
    strata: dict[str, dict[str, Stratum]] = {}
    cost: Cost = Cost()
    judged: int = 0
    failed: int = 0
    missing: int = 0
    weight: Number = None
    weight_from: Literal["config", "cross-validated"] = "config"
    comparisons: list[Comparison] = []
    sequential: Sequential | None = None
    probes: Probes = Probes()


class RequiredN(_Part):
    """How many queries it takes to see a difference of ``detect``, and what ``have`` can see."""

    sd: Number
    detect: Number
    alpha: float
    power: float
    needed: int | None
    have: int
    detectable: Number


class Threshold(_Part):
    """A condition of the config in words; a ``measured`` of ``None`` never passes."""

    text: str
    measured: Number
    passed: bool


class RunRecord(_Part):
    """The whole file; the fields are those of the JSON."""

    format: Literal[1] = FORMAT
    id: str
    at: str
    kind: Literal["prompts"] = "prompts"
    name: str
    config: dict[str, Any]
    data_sha256: str
    commit: str
    versions: dict[str, str]
    primary: str
    queries: int
    asked_for: int
    catalogue: int
    models: list[Model]
    prompts: list[PromptUsed]
    seeds: list[int]
    left_out: dict[str, int]
    split: dict[str, Any]
    required_n: RequiredN | None = None
    systems: list[System]
    thresholds: list[Threshold]
    verdict: Literal["passed", "failed", "incomplete"]
    verdict_because: str

    def system(self, name: str) -> System:
        """The system of that name.

        Raises:
            NotFound: the run has none; its systems are listed.
        """
        for one in self.systems:
            if one.name == name:
                return one
        raise NotFound(
            f"run {self.id} has no system {name!r}",
            f"it has: {', '.join(one.name for one in self.systems)}",
        )


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write ``record.json`` into the run's folder, whole or not at all: the last step of a run."""
    return write_json(folder / RECORD, record.model_dump())


def read_record(folder: Path) -> RunRecord:
    """Read ``record.json`` of a prompt run.

    Raises:
        NotFound: the run has no record: it is unfinished.
        InvalidInput: not JSON, another format, another kind of run, or a bad field (named).
    """
    values = read_raw_record(folder)
    path = folder / RECORD
    if values["kind"] != "prompts":
        raise InvalidInput(
            f"{path} is of a run of {values['kind']}, not of prompts",
            "only a run of prompts keeps a row a query",
        )
    try:
        return RunRecord.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{path}: {where}: {first['msg']}", "run the evaluation again"
        ) from error


def read_raw_record(folder: Path) -> dict[str, Any]:
    """The record of a run of either kind as JSON; ``kind`` and ``format`` are checked.

    Raises:
        NotFound: the run has no record: it is unfinished.
        InvalidInput: not JSON, or of another format.
    """
    path = folder / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(
            f"run {folder.name} has no {RECORD}: it was not finished",
            f"finish it with the config that began it, and run id {folder.name}",
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is not a readable record: {error}", "run it again") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} holds no JSON object", "run it again")
    # Reference runs of before format 1 name neither.
    values.setdefault("kind", "systems")
    values.setdefault("format", FORMAT)
    if values["format"] != FORMAT:
        raise InvalidInput(
            f"{path} has format {values['format']!r}, this version of Palate reads {FORMAT}",
            "read it with the version of Palate that wrote it",
        )
    return values
