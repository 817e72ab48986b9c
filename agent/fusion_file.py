"""Where the fused score's weights are kept: ``fusion.json``, each with its certificate."""

from __future__ import annotations

from pathlib import Path

from agent.fitting.certificate import Certificate, check_certificate, fingerprint
from agent.fitting.page import certificate_page
from agent.whole_file import whole_file
from retrieval.errors import InvalidInput
from retrieval.fusion.weights import FusionWeights

FUSION_FILE = "fusion.json"
CERTIFICATES = "certificates"
_KEPT = 5


def save_fit(certificate: Certificate, home: Path) -> Path:
    """Certificate and page first, then the weights: a reader never meets one without the other.

    Older certificates go, but for the latest few.

    Returns:
        Path of the page.

    Raises:
        StoreError: the folder cannot be written.
    """
    path = certificate_path(certificate.weights, home)
    page = path.with_suffix(".html")
    for target, text in ((path, certificate.to_json()), (page, certificate_page(certificate))):
        with whole_file(target) as file:
            file.write((text + "\n").encode())
    with whole_file(home / FUSION_FILE) as file:
        file.write((certificate.weights.to_json() + "\n").encode())
    known = sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
    for old in known[:-_KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".html").unlink(missing_ok=True)
    return page


def certificate_path(weights: FusionWeights, home: Path) -> Path:
    """Where the certificate of these weights belongs."""
    return home / CERTIFICATES / f"{fingerprint(weights)[:16]}.json"


def load_weights(home: Path) -> FusionWeights | None:
    """The saved weights; ``None`` when ``palate fit`` never ran here.

    Raises:
        InvalidInput: the file exists and cannot be used, or its certificate does not match.
    """
    found = _checked(home)
    return None if found is None else found[0]


def load_certificate(home: Path) -> Certificate | None:
    """What is known of the saved weights; ``None`` when ``palate fit`` never ran here.

    Raises:
        InvalidInput: as ``load_weights``.
    """
    found = _checked(home)
    return None if found is None else Certificate.from_json(found[1])


def _checked(home: Path) -> tuple[FusionWeights, str] | None:
    """The weights and the text of the certificate that agrees with them."""
    path = home / FUSION_FILE
    try:
        weights = FusionWeights.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", "run palate fit to write it anew"
        ) from error
    certificate = certificate_path(weights, home)
    try:
        text = certificate.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the weights in {path} have no certificate: {certificate} cannot be read",
            "run palate fit again: weights that nothing certifies are not served",
        ) from error
    check_certificate(text, weights)
    return weights, text
