"""The Flask application: routes, keys, limits, errors and the OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import BaseConverter

from agent.settings import Settings
from server import auth, envelope
from server.body import StrictRequest
from server.routes import chat, health, page, profiles, recommend, rows
from server.schemas import ErrorEnvelope
from server.service import Service, attach
from server.spec import INFO, SECURITY_SCHEMES

if TYPE_CHECKING:
    from agent.recommend import Recommender

# Nothing on a page may come from, or go to, another host; the browser enforces it.
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
REFERENCE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# What the reference page would otherwise fetch from, or offer to send to, its makers.
REFERENCE_CONFIGURATION = {
    "withDefaultFonts": False,
    "hideClientButton": True,
    "telemetry": False,
    "agent": {"disabled": True},
    "showDeveloperTools": "never",
}


class AnyId(BaseConverter):
    """An id in a path: any characters, slashes included, also first, last or doubled."""

    regex = r"[\s\S]+"
    part_isolating = False


class _ReadableJSON(DefaultJSONProvider):
    """Fields in the order of their models, Chinese as Chinese: people read answers too."""

    sort_keys = False
    ensure_ascii = False


class PalateApp(OpenAPI):
    """Flask with strict request bodies."""

    request_class = StrictRequest


def create_app(settings: Settings, *, recommender: Recommender | None = None) -> Flask:
    """Build the application.

    Args:
        settings: all of them; ``server`` and ``retrieval.max_n`` are used here.
        recommender: answers; built from ``settings`` without a language model when absent
            (``palate serve`` builds one with a model and passes it).

    Raises:
        PalateError: the recommender cannot be built.
    """
    if recommender is None:
        from agent.build import build_recommender  # loads models: only when composing

        recommender = build_recommender(settings)
    app = _assemble(settings)
    attach(app.extensions, Service(settings, recommender))
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, without stores or models; what ``palate openapi`` prints."""
    document: dict[str, Any] = _assemble(Settings()).api_doc
    return document


def _assemble(settings: Settings) -> PalateApp:
    app = PalateApp(
        "palate",
        static_folder=None,
        info=INFO,
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=ErrorEnvelope,
        validation_error_callback=envelope.refuse_invalid,
    )
    app.json = _ReadableJSON(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_mb * 1024 * 1024
    app.config["OPENAPI_HTML_STRING"] = app.config["SCALAR_HTML_STRING"] = _reference_page()
    app.url_map.converters["any_id"] = AnyId
    app.url_map.merge_slashes = False  # "a//b" is an id of its own
    envelope.install(app)
    auth.install(app, settings.server)
    for routes in (recommend, rows, profiles, chat, health):
        app.register_api(routes.api)
    app.register_blueprint(page.api)
    app.after_request(_protect)
    return app


def _reference_page() -> str:
    template = (page.PAGES / "reference.html").read_text(encoding="utf-8")
    configuration = json.dumps(REFERENCE_CONFIGURATION).replace('"', "&quot;")
    return template.replace("{{ reference_configuration }}", configuration)


def _protect(response: Response) -> Response:
    reference = request.blueprint in ("openapi", "scalar")
    response.headers["Content-Security-Policy"] = REFERENCE_POLICY if reference else CONTENT_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
