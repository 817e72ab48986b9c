"""What a config names, opened: the prompt of a variant, and the lane to a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from agent.models.running import language_model
from agent.prompting import open_prompts
from agent.settings import read_settings
from eval.answers.cassette import Cassette
from eval.answers.judge import PromptFor
from eval.answers.lane import Budget, Lane
from eval.prompt_config import ModelConfig, VariantConfig
from prompts.prompt import PromptError
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.ports import Progress

ANSWERS = "answers"
"""Folder beside the runs where answers are recorded that no config names a file for."""


def prompt_of(variant: VariantConfig) -> PromptFor:
    """Language -> the prompt that a variant names.

    Raises:
        InvalidInput: there is no such prompt, or it judges nothing.
    """
    try:
        find = prompt_named(variant.prompt, variant.folder)
    except InvalidInput as error:
        raise InvalidInput(f"variant {variant.name!r}: {error.message}", error.hint) from error
    if len(find("en").labels) != 2:
        raise InvalidInput(
            f"variant {variant.name!r}: {variant.prompt} has no two labels to judge with",
            "name a prompt whose output is label, such as rerank@1",
        )
    return find


def prompt_named(reference: str, folder: Path | None = None) -> PromptFor:
    """Language -> the prompt of a reference such as ``extract@1``.

    Args:
        reference: see ``PromptLibrary.resolve``.
        folder: of further versions; otherwise that of the settings.

    Raises:
        InvalidInput: there is no such prompt.
    """
    own = {"prompts": {"folder": str(folder)}} if folder else {}
    find = partial(open_prompts(read_settings(overrides=own)).find, reference)
    try:
        find("en")
    except PromptError as error:
        raise InvalidInput(str(error), "see them with: palate prompts list") from error
    return find


@contextmanager
def open_lane(model: ModelConfig, runs: Path, budget: Budget, progress: Progress) -> Iterator[Lane]:
    """The lane to a model: found or started, with its record; only the record for a replay.

    Raises:
        ModelUnavailable: no such model runs here, or none is asked for.
        NotFound: nothing to replay.
    """
    if model.replay and model.cassette is not None:
        yield Lane(None, _opened(Cassette(model.cassette), progress), budget)
        return
    # "auto" leaves it to the settings, and so to PALATE_LLM_MODEL.
    llm: dict[str, object] = {"model": model.model} if model.model != "auto" else {}
    llm |= {"base_url": model.base_url} if model.base_url else {}
    llm |= {"port": model.port} if model.port is not None else {}
    with language_model(read_settings(overrides={"llm": llm}), progress) as found:
        if found is None:
            raise ModelUnavailable(
                f"model {model.name!r} is 'none', and a prompt run needs one",
                "name a model, or replay a cassette",
            )
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in found.info.model_id)
        path = model.cassette or runs / ANSWERS / f"{safe}.jsonl"
        yield Lane(found, _opened(Cassette(path, found.info), progress), budget)


def _opened(cassette: Cassette, progress: Progress) -> Cassette:
    if cassette.torn:
        progress.note(f"{cassette.path}: {cassette.torn} torn lines are left out")
    return cassette
