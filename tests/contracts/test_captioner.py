"""What every captioner keeps to, whoever looks at the picture."""

from pathlib import Path

import pytest
from PIL import Image

from agent.captioner import VisionCaptioner
from agent.ports import Generation, ModelInfo
from agent.scripted import ScriptedModel
from prompts.library import PromptLibrary
from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Captioner
from retrieval.sources.captions import ComposedCaptioner


class SeeingModel(ScriptedModel):
    @property
    def info(self) -> ModelInfo:
        return ModelInfo("eyes", "large", 4096, vision=True)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        return Generation("A blue\nsquare.", "stop", 10, 5)


@pytest.fixture(scope="module", params=["composed", "colours only", "vision"])
def captioner(request: pytest.FixtureRequest) -> Captioner:
    if request.param == "composed":
        return ComposedCaptioner(None)
    if request.param == "colours only":
        return ComposedCaptioner(None, read_labels=False)
    return VisionCaptioner(SeeingModel(), PromptLibrary())


def test_a_caption_is_one_line_and_the_same_each_time(captioner: Captioner, tmp_path: Path) -> None:
    path = tmp_path / "a picture 图片.png"
    Image.new("RGB", (50, 50), (40, 90, 200)).save(path)
    caption = captioner.caption(path)
    assert caption.startswith("Picture (")
    assert "\n" not in caption
    assert captioner.caption(path) == caption


def test_a_caption_is_trusted_less_than_what_people_wrote(captioner: Captioner) -> None:
    assert 0.0 < captioner.trust < 1.0
    assert captioner.captioner_id.strip()


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_an_unusable_picture_is_an_error_that_names_the_file(
    captioner: Captioner, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"broken\.png"):
        captioner.caption(path)


def test_a_missing_picture_is_not_found(captioner: Captioner, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.png"):
        captioner.caption(tmp_path / "absent.png")
