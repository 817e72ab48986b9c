"""A local model that joins when it is ready, so that nobody waits for it who need not.

Starting vLLM takes a minute or two; the fused score can answer at once. Until the model is
there every call of it fails as ``ModelUnavailable``, which the recommender turns into
"degraded because …".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.models.prepare import require_prepared
from agent.models.running import choose_model, language_model
from agent.models.serve import HOST, check_memory, check_port, plan, served_models
from agent.ports import Generation, LabelScores, LanguageModel, Message, ModelInfo
from agent.settings import Settings
from retrieval.errors import ModelUnavailable, PalateError
from retrieval.ports import Progress


class LateModel:
    """Implements ``LanguageModel`` by a model that another thread is starting.

    Args:
        info: what the model will be.
        start: makes the model; called once, in a thread of its own. What it enters on the
            stack is left by ``stop``.
    """

    def __init__(self, info: ModelInfo, start: Callable[[ExitStack], LanguageModel]) -> None:
        self._info = info
        self._start = start
        self._model: LanguageModel | None = None
        self._failed = ""
        self._settled = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="late-model", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with ExitStack() as stack:
            try:
                self._model = self._start(stack)
            except PalateError as error:
                self._failed = error.message
            finally:
                self._settled.set()
            self._stopping.wait()
            self._model = None

    @property
    def ready(self) -> bool:
        """Whether calls reach the model now."""
        return self._model is not None

    def wait(self) -> None:
        """Return when the model is there.

        Raises:
            ModelUnavailable: it could not be started.
        """
        self._settled.wait()
        self._there()

    def stop(self, timeout: float = 30.0) -> None:
        """End the model; one that is still starting ends with this process at the latest."""
        self._stopping.set()
        self._thread.join(timeout if self._settled.is_set() else 0.0)

    def _there(self) -> LanguageModel:
        model = self._model
        if model is not None:
            return model
        if self._failed:
            raise ModelUnavailable(self._failed, "start again once that is mended")
        if self._stopping.is_set():
            raise ModelUnavailable("it is being stopped")
        raise ModelUnavailable("it is still starting", "ask again in a minute")

    @property
    def info(self) -> ModelInfo:
        """See the port; the final one once the model is there."""
        return self._model.info if self._model is not None else self._info

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """See the port."""
        return self._there().generate(
            conversations, max_tokens=max_tokens, stop=stop, deadline=deadline, done=done
        )

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """See the port."""
        return self._there().label_logprobs(conversations, labels, deadline=deadline)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        """See the port."""
        return self._there().describe_image(path, prompt, max_tokens=max_tokens)


class _Notes:
    """Progress of the other thread: its sentences are shown, its bars would fight with ours."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def start(self, stage: str, total: int | None) -> None:
        """Not shown."""

    def advance(self, n: int = 1) -> None:
        """Not shown."""

    def note(self, text: str) -> None:
        self._progress.note(text)


@contextmanager
def late_language_model(settings: Settings, progress: Progress) -> Iterator[LanguageModel | None]:
    """Like ``language_model``, but a server that has to be started starts meanwhile.

    What can be known at once fails at once: an unknown or unprepared model, a taken port,
    too little memory. Models behind a URL are connected to before this returns.

    Raises:
        ModelUnavailable, NotFound: as ``language_model``.
    """
    llm = settings.llm
    if llm.model in ("none", "scripted") or llm.base_url:
        with language_model(settings, progress) as model:
            yield model
        return
    entry = choose_model(llm, progress)
    if entry.name not in served_models(f"http://{HOST}:{llm.port}/v1", timeout=2.0):
        require_prepared(entry, llm.cache_dir)
        check_port(llm.port)
        check_memory(entry, plan(entry, llm.context_tokens))
    named = settings.model_copy(update={"llm": llm.model_copy(update={"model": entry.name})})

    def start(stack: ExitStack) -> LanguageModel:
        model = stack.enter_context(language_model(named, _Notes(progress)))
        if model is None:
            raise ModelUnavailable(f"{entry.name} did not start")
        return model

    info = ModelInfo(entry.model_id, entry.tier, llm.context_tokens, llm.vision)
    late = LateModel(info, start)
    try:
        yield late
    finally:
        late.stop()
