"""What every route of the OpenAPI document has in common."""

from __future__ import annotations

from typing import Any

from flask_openapi3.models.info import Info
from pydantic import BaseModel

from server.schemas import ErrorEnvelope

INFO = Info(
    title="Palate",
    version="1",
    description=(
        "A self-hosted recommendation service whose reasons can be checked. Ids may hold any "
        "character; percent-encode them in paths. Every error has the same envelope."
    ),
)
SECURITY_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of server.api_keys; not needed when none is configured.",
    }
}
SECURITY: list[dict[str, list[str]]] = [{"key": []}]
_DESCRIPTIONS = {
    400: "unusable input",
    401: "no valid key",
    403: "not allowed",
    404: "not found",
    405: "wrong method",
    413: "body too large",
    415: "wrong content type",
    429: "too much queued; come back later",
    500: "a bug",
    503: "a store or the model does not answer; come back later",
}


def errors(*statuses: int) -> dict[int | str, type[BaseModel] | dict[Any, Any] | None]:
    """Responses of these statuses, all with the envelope."""
    schema = {"$ref": f"#/components/schemas/{ErrorEnvelope.__name__}"}
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }


ERRORS = errors(400, 401, 403, 404, 413, 415, 429, 500, 503)
ERRORS_OF_GET = errors(400, 401, 403, 404, 500, 503)
