"""The probes that a config asks for, on the questions of every variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.explain import Explainer
from agent.settings import read_settings
from agent.stores import open_stores
from eval.answers.judge import PromptFor
from eval.answers.lane import BudgetSpent, Lane
from eval.judged import JudgedQuestion
from eval.probes.bins import bin_ablation
from eval.probes.calibration import calibration
from eval.probes.grounding import ground
from eval.probes.injection import injection_probe
from eval.probes.position import position_probe
from eval.prompt_config import PromptRunConfig
from eval.question import Question
from eval.records.record import Probes
from eval.runs.ask import salt_of
from eval.runs.contestants import Contestant
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Progress


def probe_all(
    config: PromptRunConfig,
    questions: Sequence[Question],
    variants: Sequence[Contestant],
    lanes: Mapping[str, Lane],
    prompts: Mapping[str, PromptFor],
    progress: Progress,
) -> tuple[dict[str, Probes], str]:
    """Every probe of every variant, by system name, and why some are missing ("" = none are).

    A probe looks at the first so many questions that the variant answered. One that meets the
    end of the budget is left out, and so are those behind it.
    """
    found: dict[str, Probes] = {}
    for one in variants:
        try:
            found[one.name] = _probe(config, questions, one, lanes, prompts, progress)
        except BudgetSpent as end:
            return found, f"{end}: the probes of {one.name} are missing"
    return found, ""


def _probe(
    config: PromptRunConfig,
    questions: Sequence[Question],
    one: Contestant,
    lanes: Mapping[str, Lane],
    prompts: Mapping[str, PromptFor],
    progress: Progress,
) -> Probes:
    contender = one.contender
    if contender is None:
        return Probes()
    wanted, variant = config.probes, contender.variant
    lane = lanes[contender.model].view(salt_of(contender, config))
    prompt_for = prompts[variant.name]
    candidates, seed = config.pool.judged, config.seed
    weight = one.weight or 0.0
    pairs = [(q, a) for q, a in zip(questions, one.answers, strict=True) if a is not None]

    def first(count: int, name: str) -> tuple[list[Question], list[JudgedQuestion]]:
        chosen = pairs[:count]
        progress.start(f"{name} of {one.name}", len(chosen))
        return [question for question, _ in chosen], [answer for _, answer in chosen]

    probes = Probes(calibration=calibration([q for q, _ in pairs], [a for _, a in pairs]).to_json())
    if wanted.position:
        asked, _ = first(wanted.position, "position probe")
        position = position_probe(
            lane,
            asked,
            prompt_for,
            candidates=candidates,
            bins=variant.bins,
            seed=seed,
            progress=progress,
        ).to_json()
        probes = probes.model_copy(
            update={
                "position_bias": position["position_bias"],
                "kendall_tau": position["kendall_tau"],
                "position": position["position"],
            }
        )
    if wanted.bins:
        asked, judged = first(wanted.bins, "bin ablation")
        ablation = bin_ablation(
            lane,
            asked,
            judged,
            prompt_for,
            candidates=candidates,
            bins=variant.bins,
            weight=weight,
            max_rise=variant.max_rise,
            primary=config.primary,
            seed=seed,
            progress=progress,
        )
        probes = probes.model_copy(update={"bin_ablation": ablation.to_json()})
    if wanted.injection:
        asked, judged = first(wanted.injection, "injection probe")
        injection = injection_probe(
            lane,
            asked,
            judged,
            prompt_for,
            candidates=candidates,
            bins=variant.bins,
            weight=weight,
            max_rise=variant.max_rise,
            seed=seed,
            progress=progress,
        )
        probes = probes.model_copy(update={"injection": injection.to_json()})
    if wanted.grounding and config.pool.home is not None:
        ranked = [(q, row) for q, row in zip(questions, one.ranked, strict=True) if row is not None]
        progress.start(f"grounding of {one.name}", min(wanted.grounding, len(ranked)))
        figures = _grounding(config.pool.home, ranked[: wanted.grounding], progress)
        probes = probes.model_copy(update={"grounding": figures})
    return probes


def _grounding(
    home: Path,
    ranked: Sequence[tuple[Question, Sequence[FusedCandidate]]],
    progress: Progress,
) -> dict[str, object]:
    with open_stores(read_settings(overrides={"store": {"home": home}})) as stores:
        explainer = Explainer(stores.catalog, stores.event_log, stores.profiles)
        return ground(explainer, ranked, stores, progress=progress).to_json()
