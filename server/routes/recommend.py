"""``POST /v1/recommend``: the main route."""

from __future__ import annotations

from typing import Any

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from server.schemas import AnswerBody, RecommendRequest, as_json
from server.service import current_service
from server.spec import ERRORS, SECURITY

api = APIBlueprint(
    "recommend",
    __name__,
    abp_tags=[Tag(name="recommend", description="Items with reasons that can be checked.")],
    abp_security=SECURITY,
    abp_responses=ERRORS,
)


@api.post(
    "/v1/recommend",
    summary="Recommend items to a user, for a wish, or both",
    description=(
        "Ranked items; each with its score, the parts that add up to it, and reasons that "
        "name their evidence. The trace says which ranker was used, what was left out and what "
        "the shop's rules did. `next_cursor` asks for the next page of the same list."
    ),
    responses={200: AnswerBody},
)
def recommend(body: RecommendRequest) -> dict[str, Any]:
    """Answer one request."""
    query = body.to_query()
    return as_json(AnswerBody.of(current_service().fresh().recommend(query)))
