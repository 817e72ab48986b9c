"""One JSON shape for every error, and the id that ties an answer to the log.

{"error": {"code": "not_found", "message": "…", "hint": "…", "request_id": "…"}}
"""

from __future__ import annotations

import logging
import re
import uuid
from typing import NoReturn

from flask import Flask, Response, g, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from retrieval.errors import InvalidInput, PalateError

log = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
RETRY_AFTER_SECONDS = "5"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_QUOTED_CHARACTERS = 120

_CODES = {
    400: "invalid_input",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "overloaded",
    431: "too_large",
}
_HINTS = {
    404: "see /openapi for every route",
    405: "see /openapi for every route and its methods",
    413: "send smaller batches, or raise server.max_body_mb",
}


def request_id() -> str:
    """Id of the request under way: the caller's when it is sane, else a new one."""
    if "request_id" not in g:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = given if _SANE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    return str(g.request_id)


def envelope(status: int, code: str, message: str, hint: str = "") -> Response:
    """The error answer. ``message`` and ``hint`` are shown to the caller as they are."""
    error = {"code": code, "message": message, "hint": hint, "request_id": request_id()}
    response = jsonify({"error": error})
    response.status_code = status
    if status in (429, 503):
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def quoted(value: object) -> str:
    """The offending value as it goes into a message: its ``repr``, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}…"


def refuse_invalid(error: ValidationError) -> NoReturn:
    """Turn pydantic's findings into one ``InvalidInput`` that names field, value and reason."""
    findings = error.errors(include_url=False, include_context=False)
    first = findings[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    value = "" if first["type"] == "missing" else f" = {quoted(first.get('input'))}"
    more = f"; {len(findings) - 1} more" if len(findings) > 1 else ""
    raise InvalidInput(
        f"{where}{value}: {first['msg']}{more}", "see /openapi for the fields of this route"
    ) from error


def install(app: Flask) -> None:
    """Answer every error of ``app`` with the envelope, and every request with its id."""

    @app.after_request
    def _echo_request_id(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = request_id()
        return response

    @app.errorhandler(PalateError)
    def _palate_error(error: PalateError) -> Response:
        if error.http_status >= 500:
            log.warning("%s: %s (%s)", error.code, error.message, request_id())
        return envelope(error.http_status, error.code, error.message, error.hint)

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> Response | HTTPException:
        status = error.code or 500
        if status < 400:
            return error  # a redirect is an answer, not an error
        code = _CODES.get(status, "internal" if status >= 500 else "invalid_input")
        response = envelope(status, code, _http_message(status, error), _HINTS.get(status, ""))
        if status == 405 and (allowed := getattr(error, "valid_methods", None)):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("unexpected error in request %s", request_id(), exc_info=error)
        return envelope(
            500,
            "internal",
            "something unexpected happened; nothing was lost",
            "the server's log has the details under this request_id",
        )


def _http_message(status: int, error: HTTPException) -> str:
    if status == 404:
        return f"no route {quoted(request.path)}"
    if status == 405:
        return f"{request.path} does not accept {request.method}"
    if status == 413:
        return "the request body is too large"
    return error.description or error.name
