"""What goes in and out of ``/v1/recommend``: requests to ``Query``, answers to JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from retrieval.errors import InvalidInput
from retrieval.types import (
    MAX_ID_LENGTH,
    Answer,
    Constraint,
    Operator,
    Query,
    Recommendation,
    Trace,
    TradeOff,
)

MAX_QUERY_CHARACTERS = 4000
MAX_CONSTRAINTS = 50
MAX_CHOICES = 1000

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Body(BaseModel):
    """A request body: an unknown field is a mistake worth naming."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConstraintBody(Body):
    """A hard condition; an item that lacks the attribute fails it."""

    field: Identifier = Field(description="an attribute's name, or item_id, or title")
    op: Operator = Field(description="in and not_in take a list, the others one value")
    value: str | StrictBool | Number | list[str | Number] = Field(
        description="compared as a number, a text (case-folded by contains) or a boolean"
    )

    def to_constraint(self) -> Constraint:
        """Raises InvalidInput when operator and value do not go together."""
        if isinstance(self.value, list) != (self.op in ("in", "not_in")):
            needed = "a list" if self.op in ("in", "not_in") else "one value"
            raise InvalidInput(
                f"constraint on {self.field!r}: {self.op} takes {needed}",
                'e.g. {"field": "price", "op": "le", "value": 30}',
            )
        if isinstance(self.value, list):
            if len(self.value) > MAX_CHOICES:
                raise InvalidInput(
                    f"constraint on {self.field!r} lists {len(self.value)} values",
                    f"at most {MAX_CHOICES}",
                )
            return Constraint(self.field, self.op, tuple(self.value))
        return Constraint(self.field, self.op, self.value)


class RecommendRequest(Body):
    """One request. Without ``user_id`` it is a stranger's; without ``query`` behaviour decides."""

    user_id: Identifier | None = Field(None, description="who asks; null = a stranger")
    query: Annotated[str, StringConstraints(max_length=MAX_QUERY_CHARACTERS)] = Field(
        "", description="a wish in free text, English or Chinese"
    )
    constraints: list[ConstraintBody] = Field(
        default_factory=list, max_length=MAX_CONSTRAINTS, description="all of them must hold"
    )
    n: StrictInt = Field(10, description="how many items; at most retrieval.max_n")
    include_seen: StrictBool = Field(False, description="also items the user knows already")
    explain: StrictBool = Field(True, description="reasons for every item")
    rerank: StrictBool = Field(
        True, description="let the language model judge the best of the pool"
    )
    lang: Literal["en", "zh"] | None = Field(
        None, description="language of the reasons; null = that of the query"
    )
    log: StrictBool | None = Field(
        None,
        description=(
            "whether the person lets the request be kept, redacted, for evaluation; "
            "null = they were not asked"
        ),
    )
    region: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="where they are, for the shop's rules; null = what is known of the user"
    )
    age: Annotated[Number, Field(ge=0, le=150)] | None = Field(
        None, description="years, for the shop's rules; null = what is known of the user"
    )
    diversity: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None, description="0 = the ranked order, 1 = each item unlike those above; null = as set"
    )
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None, description="next_cursor of the page before, sent with the fields of the first page"
    )

    def to_query(self) -> Query:
        """The request in the system's own words.

        Raises:
            InvalidInput: a constraint does not make sense. What depends on the catalogue
                or the settings (users, the largest n) the recommender checks.
        """
        return Query(
            text=self.query.strip(),
            user_id=self.user_id,
            constraints=tuple(constraint.to_constraint() for constraint in self.constraints),
            n=self.n,
            include_seen=self.include_seen,
            explain=self.explain,
            lang=self.lang or "",
            rerank=self.rerank,
            log=self.log,
            region=self.region or "",
            age=self.age,
            diversity=self.diversity,
            cursor=self.cursor or "",
        )


class ErrorDetail(BaseModel):
    """What went wrong, what to do, and the id to find it in the log."""

    code: str = Field(examples=["invalid_input"])
    message: str
    hint: str
    request_id: str


class ErrorEnvelope(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: ErrorDetail


class ClaimBody(BaseModel):
    """One sentence and the evidence it rests on."""

    sentence: str
    evidence_ids: list[str]


class ExplanationBody(BaseModel):
    """Reasons for one item; every claim passed the validator."""

    text: str
    claims: list[ClaimBody]
    by: Literal["template", "llm"]


class RecommendationBody(BaseModel):
    """One item. The ``parts`` add up to ``score`` (exactly, with a correctly rounded sum)."""

    item_id: str
    title: str
    rank: int
    base_rank: int = Field(description="rank before the language model")
    score: float
    parts: dict[str, float] = Field(description="what each source contributed")
    explanation: ExplanationBody | None
    collapsed: list[str] = Field(description="near-duplicates that this item stands for")


class TradeOffBody(BaseModel):
    """What diversity cost the first page, and what it bought."""

    diversity: float = Field(description="that was asked for")
    relevance_kept: float = Field(description="share of the score of the n best, 0 to 1")
    before: float = Field(description="intra-list diversity of the n best, 0 to 1")
    after: float = Field(description="of the page")

    @classmethod
    def of(cls, one: TradeOff) -> TradeOffBody:
        """As it goes out."""
        return cls(
            diversity=one.diversity,
            relevance_kept=one.relevance_kept,
            before=one.before,
            after=one.after,
        )


class TraceBody(BaseModel):
    """How the answer came about."""

    ranker_used: str = Field(description="fused or fused+llm")
    degraded_because: str = Field(description="empty when nothing asked for was skipped")
    weights_used: str
    prompt_versions: dict[str, str]
    model: str
    calls: int
    tokens: int
    milliseconds_by_stage: dict[str, float]
    pool_size: int
    notes: list[str]
    rules: list[str] = Field(description="what each business rule did to the list")
    trade_off: TradeOffBody | None = Field(description="null when no diversity was asked for")


class AnswerBody(BaseModel):
    """The answer to ``POST /v1/recommend``."""

    recommendations: list[RecommendationBody]
    trace: TraceBody
    next_cursor: str | None = Field(description="asks for the next page; null on the last one")

    @classmethod
    def of(cls, answer: Answer) -> AnswerBody:
        """The answer as it goes out."""
        return cls(
            recommendations=[_recommendation(line) for line in answer.recommendations],
            trace=_trace(answer.trace),
            next_cursor=answer.next_cursor or None,
        )


def as_json(body: BaseModel) -> dict[str, Any]:
    """Plain data for ``flask.jsonify``."""
    return body.model_dump(mode="json")


def _recommendation(line: Recommendation) -> RecommendationBody:
    explanation = line.explanation and ExplanationBody(
        text=line.explanation.text,
        claims=[
            ClaimBody(sentence=claim.sentence, evidence_ids=list(claim.evidence_ids))
            for claim in line.explanation.claims
        ],
        by=line.explanation.by,
    )
    return RecommendationBody(
        item_id=line.item_id,
        title=line.title,
        rank=line.rank,
        base_rank=line.base_rank,
        score=line.score,
        parts=dict(line.parts),
        explanation=explanation,
        collapsed=list(line.collapsed),
    )


def _trace(trace: Trace) -> TraceBody:
    return TraceBody(
        ranker_used=trace.ranker_used,
        degraded_because=trace.degraded_because,
        weights_used=trace.weights_used,
        prompt_versions=dict(trace.prompt_versions),
        model=trace.model,
        calls=trace.calls,
        tokens=trace.tokens,
        milliseconds_by_stage=dict(trace.milliseconds_by_stage),
        pool_size=trace.pool_size,
        notes=list(trace.notes),
        rules=list(trace.rules),
        trade_off=trace.trade_off and TradeOffBody.of(trace.trade_off),
    )
