"""``/``: a page that asks ``/v1/recommend`` and shows what comes back, score parts included."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from flask import Response, send_from_directory
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel

PAGES = Path(__file__).resolve().parents[1] / "pages"

api = APIBlueprint("page", __name__, doc_ui=False)


class AssetPath(BaseModel):
    """The files that the page needs."""

    name: Literal["palate.css", "palate.js"]


@api.get("/")
def landing() -> Response:
    """The page itself; it holds no data."""
    return send_from_directory(PAGES, "index.html")


@api.get("/assets/<name>")
def asset(path: AssetPath) -> Response:
    """Its style and its script."""
    return send_from_directory(PAGES, path.name)
