"""Where the fused score's weights are kept: ``fusion.json`` in the home folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from retrieval.errors import InvalidInput, StoreError
from retrieval.fusion.weights import FusionWeights

FUSION_FILE = "fusion.json"


def save_weights(weights: FusionWeights, home: Path) -> Path:
    """Write the file whole or not at all; a reader never meets half of it.

    Raises:
        StoreError: the folder cannot be written.
    """
    path = home / FUSION_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=home, prefix=".fusion-", suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(weights.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}", "check the home folder's rights"
        ) from error
    return path


def load_weights(home: Path) -> FusionWeights | None:
    """The saved weights; ``None`` when ``palate fit`` never ran here.

    Raises:
        InvalidInput: the file exists and cannot be used.
    """
    path = home / FUSION_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", "run palate fit to write it anew"
        ) from error
    return FusionWeights.from_json(text)
