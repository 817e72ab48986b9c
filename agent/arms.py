"""Which recommender answers: a plain one, or one that keeps requests and runs an experiment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.exposure import LoggingRecommender
from agent.judging import Judge
from agent.pseudonyms import open_pseudonyms
from agent.recommend import Recommender
from agent.rerank import PROMPT
from agent.stores import Stores
from prompts.library import PromptLibrary
from prompts.prompt import PromptError
from retrieval.errors import InvalidInput

OFF, ON = "off", "on"


def recommender_kind(stores: Stores, prompts: PromptLibrary) -> Callable[..., Recommender]:
    """``Recommender``, or what makes one that keeps requests when the settings say so.

    Raises:
        InvalidInput: an experiment on requests that are not kept, an arm that names no prompt,
            or a key file that cannot be read or written.
    """
    settings = stores.settings
    if not settings.log.requests:
        if settings.experiment.name or settings.experiment.explore:
            raise InvalidInput(
                "an experiment is set up and requests are not kept",
                "set log.requests = true: without a log nothing can be learned from it",
            )
        return Recommender
    return partial(
        LoggingRecommender,
        request_log=stores.request_log,
        pseudonyms=open_pseudonyms(settings.store.home) if settings.log.pseudonyms else None,
        judges={arm: _judge(arm, stores, prompts) for arm in settings.experiment.arms},
    )


def _judge(arm: str, stores: Stores, prompts: PromptLibrary) -> Judge:
    settings = stores.settings.rerank
    reference = PROMPT
    if arm == OFF:
        settings = settings.model_copy(update={"enabled": False})
    elif arm != ON:
        reference = arm
        try:
            name, number = prompts.resolve(arm)
        except PromptError as error:
            raise InvalidInput(
                f"experiment.arms: {error}", f"an arm is {OFF}, {ON} or a version: {PROMPT}@1"
            ) from error
        if arm != f"{PROMPT}@{number}":
            raise InvalidInput(
                f"experiment.arms: {arm!r} stands for {name}@{number} today",
                f"name a version of {PROMPT}: an experiment must not change on the way",
            )
    return Judge(
        settings,
        stores.catalog,
        stores.event_log,
        stores.profiles,
        partial(prompts.find, reference),
    )
