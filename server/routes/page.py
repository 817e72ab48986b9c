"""``/``: a page that asks ``/v1/recommend`` and shows what comes back, score parts included."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

PAGES = Path(__file__).resolve().parents[1] / "pages"

api = Blueprint("page", __name__)


@api.get("/")
def landing() -> Response:
    """The page itself; it holds no data."""
    return send_from_directory(PAGES, "index.html")


@api.get("/assets/palate.css")
def style() -> Response:
    """How it looks, in light and dark."""
    return send_from_directory(PAGES, "palate.css")


@api.get("/assets/palate.js")
def script() -> Response:
    """What it does."""
    return send_from_directory(PAGES, "palate.js")
