"""The language model of this run: found, started or done without, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, cast

from agent.models import machine
from agent.models.fetch import locked
from agent.models.prepare import require_prepared
from agent.models.probe import probe
from agent.models.registry import ModelEntry, Tier, find_model
from agent.models.serve import HOST, check_port, plan, served_models, start_server
from agent.ports import LanguageModel, ModelInfo
from agent.scripted import ScriptedModel
from agent.settings import LLMSettings, Settings
from agent.vllm import OpenAICompatibleModel
from retrieval.errors import InvalidInput, ModelUnavailable, NotFound
from retrieval.ports import Progress

SMALL = "qwen2.5-coder-1.5b-instruct"
TINY = "smollm2-135m-instruct"


@contextmanager
def language_model(settings: Settings, progress: Progress) -> Iterator[LanguageModel | None]:
    """The model that ``settings.llm`` asks for, probed; what was started here stops at the end.

    - ``model = "none"``: yields ``None``.
    - ``model = "scripted"``: the offline double.
    - ``base_url`` given: that server (``auto``: the first model that it serves).
    - otherwise a registry model (``auto``: see ``choose_model``). A server that already serves
      it on ``llm.port`` is used and left running, else one is started. Nothing is downloaded
      here: a model that is not prepared is an error that says what to run.

    Raises:
        ModelUnavailable: no server, no memory, port taken, or not prepared.
        ModelOutputError: the server answers and cannot do what Palate needs.
        NotFound: no such model in the registry.
    """
    llm = settings.llm
    if llm.model == "none":
        yield None
    elif llm.base_url:
        with _connected(_remote(llm), progress) as model:
            yield model
    elif llm.model == "scripted":
        yield ScriptedModel(tier=_tier(llm, "small"), context_tokens=llm.context_tokens)
    else:
        with _local(llm, progress) as model:
            yield model


def choose_model(llm: LLMSettings, progress: Progress) -> ModelEntry:
    """The registry entry that ``llm.model`` names; ``auto`` decides by what the machine has.

    ``auto``: a registry model that already answers on ``llm.port``, else with a GPU or enough
    memory the small one, else the tiny one (and a note that says why).

    Raises:
        NotFound: no language model of that name.
    """
    if llm.model != "auto":
        return find_model(llm.model, role="llm")
    for name in served_models(f"http://{HOST}:{llm.port}/v1", timeout=1.0):
        try:
            return find_model(name, role="llm")
        except NotFound:
            continue
    entry = find_model(SMALL, role="llm")
    need, free = plan(entry, llm.context_tokens).need_bytes, machine.available_memory()
    if need <= free:
        return entry
    progress.note(
        f"{SMALL} needs {need / machine.GIB:.1f} GiB and {free / machine.GIB:.1f} GiB are free: "
        f"using {TINY}, which is no judge"
    )
    return find_model(TINY, role="llm")


@contextmanager
def _local(llm: LLMSettings, progress: Progress) -> Iterator[LanguageModel]:
    entry = choose_model(llm, progress)
    base_url = f"http://{HOST}:{llm.port}/v1"
    server = None
    # Of two that start at once the second waits, and finds the first one's server.
    with locked(
        llm.cache_dir,
        f"port-{llm.port}",
        lambda: progress.note(f"another process starts a server on port {llm.port}; waiting"),
    ):
        if entry.name not in served_models(base_url, timeout=2.0):
            check_port(llm.port)
            folder = require_prepared(entry, llm.cache_dir)
            server = start_server(
                entry,
                folder,
                port=llm.port,
                context_tokens=llm.context_tokens,
                log_path=llm.cache_dir / "logs" / f"vllm-{llm.port}.log",
                progress=progress,
            )
    try:
        window = served_models(base_url).get(entry.name) or llm.context_tokens
        info = ModelInfo(entry.model_id, _tier(llm, entry.tier), window, llm.vision)
        model = OpenAICompatibleModel(
            base_url, entry.name, info=info, timeout=llm.timeout, parallel=llm.parallel
        )
        with _connected(model, progress) as ready:
            yield ready
    finally:
        if server is not None:
            server.stop()


@contextmanager
def _connected(model: OpenAICompatibleModel, progress: Progress) -> Iterator[OpenAICompatibleModel]:
    try:
        report = probe(model)
        progress.note(
            f"language model {model.info.model_id} answers at {model.base_url} "
            f"(probe {report.seconds:.1f} s)"
        )
        yield model
    finally:
        model.close()


def _remote(llm: LLMSettings) -> OpenAICompatibleModel:
    served = served_models(llm.base_url, llm.api_key, timeout=10.0)
    if llm.model == "auto" and not served:
        raise ModelUnavailable(
            f"no model server answers at {llm.base_url}",
            "check llm.base_url and llm.api_key, or name the model with llm.model",
        )
    name = next(iter(served)) if llm.model == "auto" else llm.model
    window = served.get(name) or llm.context_tokens
    info = ModelInfo(name, _tier(llm, "small"), window, llm.vision)
    return OpenAICompatibleModel(
        llm.base_url,
        name,
        api_key=llm.api_key,
        info=info,
        timeout=llm.timeout,
        parallel=llm.parallel,
    )


def _tier(llm: LLMSettings, otherwise: Tier) -> Tier:
    if llm.tier not in ("", "tiny", "small", "large"):
        raise InvalidInput(f"llm.tier = {llm.tier!r}", "tiny, small or large")
    return cast(Literal["tiny", "small", "large"], llm.tier) if llm.tier else otherwise
