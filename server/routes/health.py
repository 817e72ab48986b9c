"""``/healthz`` and ``/readyz``: for whoever starts, stops and balances processes."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from server.service import current_service

api = APIBlueprint(
    "health", __name__, abp_tags=[Tag(name="operation", description="Is it alive, is it ready?")]
)


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether requests can be served, and what each part says of itself."""

    ready: bool
    checks: dict[str, str] = Field(description="left out for callers without a key")


@api.get("/healthz", summary="The process is alive", responses={200: Health})
def healthz() -> dict[str, str]:
    """Never touches a store or the model; needs no key."""
    return {"status": "ok"}


@api.get(
    "/readyz",
    summary="Requests can be served",
    description="200 when ready, 503 when not. Needs no key; the details do.",
    responses={200: Readiness, 503: Readiness},
)
def readyz() -> tuple[dict[str, Any], int]:
    """Ask the recommender's parts."""
    ready, checks = current_service().recommender.ready()
    body: dict[str, Any] = {"ready": ready, "checks": checks if g.trusted else {}}
    return body, 200 if ready else 503
