"""Who describes pictures: the vision model, else what is installed, else nobody, out loud."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

from agent import captioner
from agent.captioner import VisionCaptioner, choose_captioner
from agent.ports import Generation, ModelInfo
from agent.scripted import ScriptedModel
from agent.settings import Settings
from prompts.library import PromptLibrary
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.sources.captions import ComposedCaptioner

PROMPTS = PromptLibrary()


class SeeingModel(ScriptedModel):
    """The scripted model with eyes: answers what it is told, and remembers the prompt."""

    def __init__(self, answer: str, finish: str = "stop") -> None:
        super().__init__()
        self._answer = answer
        self._finish = finish
        self.prompts: list[str] = []
        self.seen: list[tuple[int, int, int]] = []

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("eyes", "large", 4096, vision=True)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        self.prompts.append(prompt)
        with Image.open(path) as image:
            self.seen.append((*image.size, len(image.getexif())))
        return Generation(self._answer, self._finish, 10, 5)


class Notes:
    """A progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, stage: str, total: int | None) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cup.png"
    Image.new("RGB", (40, 40), (30, 80, 200)).save(path)
    return path


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        captioner.importlib.util,
        "find_spec",
        lambda name: None if name in packages else found(name),
    )


def test_a_vision_model_describes_the_picture_on_one_line(picture: Path) -> None:
    model = SeeingModel("A blue cup.\n\nIt reads  TEA.")
    described = VisionCaptioner(model, PROMPTS).caption(picture)
    assert described == "Picture (described by a vision model): A blue cup. It reads TEA."
    assert "Describe this picture" in model.prompts[0]


def test_the_model_sees_a_small_upright_copy_without_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of somebody"
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (3000, 1500), (30, 80, 200)).save(path, exif=exif)
    model = SeeingModel("A blue wall.")
    VisionCaptioner(model, PROMPTS).caption(path)
    [(width, height, tags)] = model.seen
    assert width < height <= 1280
    assert tags == 0


def test_a_caption_that_was_cut_ends_with_its_last_whole_sentence(picture: Path) -> None:
    described = VisionCaptioner(
        SeeingModel("A blue cup. It stands on a", "length"), PROMPTS
    ).caption(picture)
    assert described.endswith("A blue cup.")


def test_an_empty_description_is_said(picture: Path) -> None:
    assert (
        VisionCaptioner(SeeingModel("  "), PROMPTS).caption(picture).endswith("nothing recognised.")
    )


def test_an_unusable_picture_never_reaches_the_model(tmp_path: Path) -> None:
    model = SeeingModel("A cup.")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InvalidInput, match=r"text\.png"):
        VisionCaptioner(model, PROMPTS).caption(tmp_path / "text.png")
    assert model.prompts == []


def test_the_id_binds_model_and_prompt() -> None:
    english = VisionCaptioner(SeeingModel(""), PROMPTS).captioner_id
    assert english.startswith("vision:eyes:caption_image@")
    assert english != VisionCaptioner(SeeingModel(""), PROMPTS, lang="zh").captioner_id


def test_a_model_without_eyes_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="takes no pictures"):
        VisionCaptioner(ScriptedModel(), PROMPTS)


def test_the_vision_model_is_chosen_when_there_is_one() -> None:
    chosen = choose_captioner(Settings(), SeeingModel(""), Notes())
    assert isinstance(chosen, VisionCaptioner)


def test_without_the_packages_nobody_describes_and_the_note_says_how_to_change_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, "rapidocr")
    notes = Notes()
    assert choose_captioner(Settings(), ScriptedModel(), notes) is None
    assert "pip install 'palate[media]'" in notes.notes[0]


def test_without_the_tagger_package_labels_and_colours_remain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, "efficientnet_lite_pytorch")
    notes = Notes()
    chosen = choose_captioner(Settings(), None, notes)
    assert isinstance(chosen, ComposedCaptioner)
    assert "tags=none" in chosen.captioner_id
    assert "efficientnet-lite-pytorch is not installed" in notes.notes[0]


def test_weights_that_cannot_be_had_leave_the_tags_out_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_: object, **__: object) -> Path:
        raise ModelUnavailable("no source of efficientnet-lite0 answers")

    monkeypatch.setattr(captioner, "prepare", unreachable)
    notes = Notes()
    chosen = choose_captioner(Settings(), None, notes)
    assert isinstance(chosen, ComposedCaptioner)
    assert notes.notes == ["Captions without tags: no source of efficientnet-lite0 answers."]
