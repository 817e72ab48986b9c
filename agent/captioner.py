"""Who describes pictures: the vision model when there is one, else tags and label text."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.models.prepare import prepare
from agent.models.registry import load_registry
from agent.ports import LanguageModel
from agent.prompting import open_prompts
from agent.settings import Settings
from prompts.library import PromptLibrary
from retrieval.errors import ModelUnavailable, PalateError
from retrieval.ports import Captioner, Progress
from retrieval.sources.captions import ComposedCaptioner
from retrieval.sources.images import open_picture
from retrieval.sources.tagger import MEDIA_HINT, Tagger

TAGGER = "efficientnet-lite0"


class VisionCaptioner:
    """Implements ``retrieval.ports.Captioner`` with a language model that sees.

    Args:
        model: its ``info.vision`` must be true.
        prompts: the one in production is used.
        lang: language of the prompt and the caption.

    Raises:
        ModelUnavailable: the model takes no pictures.
    """

    trust = 0.7

    def __init__(self, model: LanguageModel, prompts: PromptLibrary, *, lang: str = "en") -> None:
        if not model.info.vision:
            raise ModelUnavailable(
                f"{model.info.model_id} takes no pictures",
                "set llm.vision = true for a vision model, or use the composed captioner",
            )
        self._model = model
        prompt = prompts.find("caption_image", lang)
        self._prompt = "\n\n".join(message["content"] for message in prompt.render())
        self._max_tokens = prompt.max_tokens
        self._prompt_id = f"{prompt.version}:{prompt.sha256[:16]}"

    @property
    def captioner_id(self) -> str:
        """Binds the model and the prompt."""
        return f"vision:{self._model.info.model_id}:{self._prompt_id}"

    def caption(self, path: Path) -> str:
        """One caption on one line.

        The model gets a copy: upright, small, and without what EXIF says of place and time.

        Raises:
            InvalidInput: the file is no usable picture; it is never sent then.
            ModelUnavailable, ModelTimeout, ModelOutputError: as the model says.
        """
        picture = open_picture(path)
        with TemporaryDirectory(prefix="palate-") as folder:
            copy = Path(folder) / "picture.png"
            picture.save_png(copy)
            answer = self._model.describe_image(copy, self._prompt, max_tokens=self._max_tokens)
        text = " ".join(answer.text.split())
        if answer.finish == "length":
            # A caption cut in the middle of a sentence would claim half of something.
            head, stop, _ = text.rpartition(".")
            text = head + stop or text
        return f"Picture (described by a vision model): {text or 'nothing recognised.'}"


def choose_captioner(
    settings: Settings, model: LanguageModel | None, progress: Progress
) -> Captioner | None:
    """The best captioner that this installation can run; ``None`` when there is none.

    What is left out, and why, goes to ``progress.note``.
    """
    if model is not None and model.info.vision:
        return VisionCaptioner(model, open_prompts(settings))
    if importlib.util.find_spec("rapidocr") is None:
        progress.note(f"Pictures get no captions: rapidocr is not installed ({MEDIA_HINT}).")
        return None
    return ComposedCaptioner(_tagger_weights(settings, progress, "Captions without tags"))


def open_tagger(settings: Settings, progress: Progress) -> Tagger | None:
    """The network that turns pictures into vectors; ``None``, with a note, when it cannot run."""
    without = "Pictures do not take part"
    weights = _tagger_weights(settings, progress, without)
    try:
        return None if weights is None else Tagger(weights)
    except PalateError as error:
        progress.note(f"{without}: {error.message}.")
        return None


def _tagger_weights(settings: Settings, progress: Progress, without: str) -> Path | None:
    if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
        progress.note(f"{without}: efficientnet-lite-pytorch is not installed ({MEDIA_HINT}).")
        return None
    try:
        return prepare(load_registry()[TAGGER], settings.llm.cache_dir, progress)
    except PalateError as error:
        progress.note(f"{without}: {error.message}.")
        return None
