"""What an ImageNet classifier sees in a picture (EfficientNet-Lite0).

A weak witness: it knows a thousand everyday things and always names one of them. Only
a tag that it is sure of is worth repeating.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidInput, NotFound, PalateError
from retrieval.sources.images import Picture

MEDIA_HINT = "pip install 'palate[media]'"
DIMENSION = 1280
"""Length of a picture's vector."""

_SIDE = 224
# EfficientNet-Lite was trained on (x - 127) / 128, not on the usual ImageNet statistics.
_MEAN, _SCALE = 127.0, 128.0


@dataclass(frozen=True, slots=True)
class Tag:
    """One class name and its probability in [0, 1]."""

    name: str
    probability: float


def class_names() -> tuple[str, ...]:
    """The 1000 ImageNet class names (first WordNet lemma) in class order."""
    text = resources.files("retrieval.sources").joinpath("imagenet_labels.txt")
    return tuple(text.read_text(encoding="utf-8").splitlines())


class Tagger:
    """Classifies pictures on the CPU, one at a time.

    Args:
        weights: the published ``efficientnet-lite0`` state dict (``.pth``).

    Raises:
        PalateError: the optional package is missing; the hint holds the install line.
        NotFound: no weights at that path.
        InvalidInput: the file is no such state dict.
    """

    def __init__(self, weights: Path) -> None:
        try:
            # Both bring torch, which takes seconds: whoever captions nothing does not pay.
            package = importlib.import_module("efficientnet_lite_pytorch")
            self._torch: Any = importlib.import_module("torch")
        except ImportError as error:
            raise PalateError(
                "picture tags need the package efficientnet-lite-pytorch", MEDIA_HINT
            ) from error
        self._model: Any = package.EfficientNet.from_name("efficientnet-lite0")
        try:
            data = weights.read_bytes()
            # weights_only: a state dict holds tensors; anything else in the pickle is refused.
            state = self._torch.load(weights, map_location="cpu", weights_only=True)
            self._model.load_state_dict(state)
        except FileNotFoundError as error:
            raise NotFound(
                f"{weights}: no tagger weights there", "run: palate llm prepare efficientnet-lite0"
            ) from error
        except Exception as error:
            # torch raises UnpicklingError, RuntimeError, KeyError or EOFError by the damage.
            raise InvalidInput(
                f"{weights}: not the weights of efficientnet-lite0",
                "delete the file and prepare it again",
            ) from error
        self._model.eval()
        self._names = class_names()
        self.digest = hashlib.sha256(data).hexdigest()

    def tags(self, picture: Picture, *, least: float = 0.0, most: int = 5) -> list[Tag]:
        """The ``most`` probable classes of at least probability ``least``, best first."""
        torch = self._torch
        with torch.inference_mode():
            logits = self._model(self._batch(picture))[0]
        probabilities = torch.softmax(logits, dim=0).numpy()
        order = np.argsort(-probabilities, kind="stable")[:most]
        return [
            Tag(self._names[index], float(probabilities[index]))
            for index in order
            if probabilities[index] >= least
        ]

    def vector(self, picture: Picture) -> NDArray[np.float32]:
        """What the last layer classifies from, as a unit vector of ``DIMENSION`` numbers."""
        with self._torch.inference_mode():
            maps = self._model.extract_features(self._batch(picture))[0]
        pooled: NDArray[np.float32] = maps.mean(dim=(1, 2)).numpy()
        return pooled / max(float(np.linalg.norm(pooled)), 1e-12)

    def _batch(self, picture: Picture) -> Any:
        pixels = picture.square(_SIDE).astype(np.float32)
        return self._torch.from_numpy((pixels - _MEAN) / _SCALE).permute(2, 0, 1).unsqueeze(0)
