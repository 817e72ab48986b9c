"""``POST /v1/{items,users,interactions,reviews}``: data in at run time, in bulk."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from agent.intake import Intake
from retrieval.errors import InvalidInput
from retrieval.sources.records import COLUMNS, REQUIRED, Table
from server.rows import check_rows, read_rows, write_rows
from server.schemas import as_json
from server.service import current_service
from server.spec import ERRORS, SECURITY

LISTED_REJECTIONS = 1000

api = APIBlueprint(
    "rows",
    __name__,
    abp_tags=[Tag(name="data", description="Items, users, interactions and reviews, in bulk.")],
    abp_security=SECURITY,
    abp_responses=ERRORS,
)


class RowsQuery(BaseModel):
    """Flags of a bulk request."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="one bad row refuses all of them")


class RejectedRowBody(BaseModel):
    """Why one row did not go in."""

    index: int = Field(description="position in the request, from 0; the line of NDJSON")
    column: str = Field(description="empty when it is about the whole row")
    reason: str


class RowsBody(BaseModel):
    """What became of the rows: ``accepted + unchanged + rejected_total`` is their number."""

    accepted: int = Field(description="new or different, and written")
    unchanged: int = Field(description="already there, exactly so")
    rejected_total: int
    rejected: list[RejectedRowBody] = Field(description=f"the first {LISTED_REJECTIONS:,} of them")


def _documented(table: Table) -> dict[str, Any]:
    properties: dict[str, Any] = {column: {} for column in COLUMNS[table]}
    row = {"type": "object", "properties": properties, "required": list(REQUIRED[table])}
    if table in ("items", "users"):
        row["description"] = "every other field is an attribute: text, number, boolean or list"
    rows = {"type": "array", "items": row}
    wrapped = {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}
    content = {
        "application/json": {"schema": {"oneOf": [wrapped, rows]}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "one row a line"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def _take(table: Table, strict: bool) -> dict[str, Any]:
    service = current_service()
    # Whoever acts is a user: a shop that sends a purchase need not announce the buyer.
    recommender = service.recommender
    intake = Intake(recommender.catalog, recommender.event_log, create_users=True)
    records, rejected = check_rows(table, read_rows(request), intake)
    if strict and rejected:
        first = rejected[0]
        where = f"row {first.index}" + (f", column {first.column}" if first.column else "")
        more = f"; {len(rejected) - 1} more rows are bad" if len(rejected) > 1 else ""
        raise InvalidInput(
            f"{where}: {first.reason}{more}; nothing was written",
            "without strict=true the good rows go in and every bad one is listed",
        )
    changed = 0
    if records:
        try:
            changed = write_rows(table, records, intake)
        finally:
            service.mark_stale()  # also when only the first batches went in
    listed = [
        RejectedRowBody(index=row.index, column=row.column, reason=row.reason)
        for row in rejected[:LISTED_REJECTIONS]
    ]
    return as_json(
        RowsBody(
            accepted=changed,
            unchanged=len(records) - changed,
            rejected_total=len(rejected),
            rejected=listed,
        )
    )


_NOTE = (
    "Idempotent: the same rows again change nothing. Good rows go in, bad ones are listed. "
    "The next recommendation sees them. Send a JSON array, an object with rows, or NDJSON."
)


@api.post(
    "/v1/items",
    summary="Add or replace items",
    description=_NOTE,
    responses={200: RowsBody},
    openapi_extensions=_documented("items"),
)
def post_items(query: RowsQuery) -> dict[str, Any]:
    """Items with their attributes."""
    return _take("items", query.strict)


@api.post(
    "/v1/users",
    summary="Add or replace users",
    description=_NOTE,
    responses={200: RowsBody},
    openapi_extensions=_documented("users"),
)
def post_users(query: RowsQuery) -> dict[str, Any]:
    """Users with their attributes."""
    return _take("users", query.strict)


@api.post(
    "/v1/interactions",
    summary="Add interactions with known items; unknown users are created",
    description=_NOTE,
    responses={200: RowsBody},
    openapi_extensions=_documented("interactions"),
)
def post_interactions(query: RowsQuery) -> dict[str, Any]:
    """Views, purchases, likes, ratings."""
    return _take("interactions", query.strict)


@api.post(
    "/v1/reviews",
    summary="Add or replace reviews of known items; unknown users are created",
    description=_NOTE + " A rating in a review counts as an interaction. "
    "Profiles take texts up when `palate profiles build` runs.",
    responses={200: RowsBody},
    openapi_extensions=_documented("reviews"),
)
def post_reviews(query: RowsQuery) -> dict[str, Any]:
    """Texts with an author, an item and a time."""
    return _take("reviews", query.strict)
