"""``GET /v1/profiles/…``: what is known of a user or an item, down to the quotes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from retrieval.errors import NotFound
from retrieval.types import Polarity, Profile, Subject
from server.schemas import Identifier, as_json
from server.service import current_service
from server.spec import ERRORS_OF_GET, SECURITY

api = APIBlueprint(
    "profiles",
    __name__,
    abp_tags=[Tag(name="profiles", description="Every line names its evidence.")],
    abp_security=SECURITY,
    abp_responses=ERRORS_OF_GET,
)


class UserPath(BaseModel):
    """The user's id, percent-encoded; slashes may stand as they are."""

    user_id: Identifier


class ItemPath(BaseModel):
    """The item's id, percent-encoded; slashes may stand as they are."""

    item_id: Identifier


class QuoteBody(BaseModel):
    """The exact words of one evidence."""

    evidence_id: str
    text: str


class RowBody(BaseModel):
    """What is known of one aspect, and where it stands."""

    row_id: str
    aspect: str
    label: str
    polarity: Polarity
    strength: float = Field(description="decayed, trust-weighted support")
    n: int = Field(description="how much evidence")
    first_at: datetime
    last_at: datetime
    lang: str
    quotes: list[QuoteBody]


class SentenceBody(BaseModel):
    """One validated sentence and the rows that support it."""

    text: str
    row_ids: list[str]


class ProfileBody(BaseModel):
    """A profile: rows first, prose second."""

    subject: Subject
    subject_id: str
    as_of: datetime
    version: str
    written_by: Literal["llm", "template"]
    text: str
    sentences: list[SentenceBody]
    rows: list[RowBody]

    @classmethod
    def of(cls, profile: Profile) -> ProfileBody:
        """The profile as it goes out."""
        return cls(
            subject=profile.subject,
            subject_id=profile.subject_id,
            as_of=profile.as_of,
            version=profile.version,
            written_by=profile.written_by,
            text=profile.text,
            sentences=[
                SentenceBody(text=sentence.text, row_ids=list(sentence.row_ids))
                for sentence in profile.sentences
            ],
            rows=[
                RowBody(
                    row_id=row.row_id,
                    aspect=row.aspect,
                    label=row.label,
                    polarity=row.polarity,
                    strength=row.strength,
                    n=row.n,
                    first_at=row.first_at,
                    last_at=row.last_at,
                    lang=row.lang,
                    quotes=[
                        QuoteBody(evidence_id=quote.evidence_id, text=quote.text)
                        for quote in row.quotes
                    ],
                )
                for row in profile.rows
            ],
        )


@api.get(
    "/v1/profiles/users/<any_id:user_id>",
    summary="Profile of a user",
    description="404 when the user is unknown or has no profile yet.",
    responses={200: ProfileBody},
)
def user_profile(path: UserPath) -> dict[str, Any]:
    """Rows with their quotes."""
    service = current_service()
    service.recommender.catalog.user(path.user_id)  # NotFound names an unknown user
    return _profile("user", path.user_id)


@api.get(
    "/v1/profiles/items/<any_id:item_id>",
    summary="Profile of an item",
    description="404 when the item is unknown or has no profile yet.",
    responses={200: ProfileBody},
)
def item_profile(path: ItemPath) -> dict[str, Any]:
    """Rows with their quotes."""
    service = current_service()
    service.recommender.catalog.item(path.item_id)
    return _profile("item", path.item_id)


def _profile(subject: Subject, subject_id: str) -> dict[str, Any]:
    profile = current_service().recommender.profiles.get(subject, subject_id)
    if profile is None:
        raise NotFound(f"{subject} {subject_id!r} has no profile yet", "run: palate profiles build")
    return as_json(ProfileBody.of(profile))
