"""A shop of 12 items and 8 users for real stores, and an embedder that needs no weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from agent.stores import Stores
from retrieval.ports import Vectors
from retrieval.types import (
    AspectRow,
    Evidence,
    Interaction,
    Item,
    Polarity,
    Profile,
    ProfileSentence,
    Quote,
    Review,
    Subject,
    User,
    content_hash,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ITEMS = [
    Item("k1", "Steel kettle", {"price": 45.0, "material": "steel", "kind": "kettle"}),
    Item("k2", "Plastic kettle", {"price": 15.0, "material": "plastic", "kind": "kettle"}),
    Item("k3", "Glass kettle", {"price": 60.0, "material": "glass", "kind": "kettle"}),
    Item("k4", "Travel kettle", {"price": 25.0, "material": "recycled plastic", "kind": "kettle"}),
    Item("t1", "Green tea", {"price": 12.0, "kind": "tea", "tags": ("organic", "loose")}),
    Item("t2", "茉莉花茶", {"price": 18.0, "kind": "tea", "产地": "福建"}),
    Item("t3", "Black tea", {"price": 9.0, "kind": "tea", "tags": ("bags",)}),
    Item("t4", "乌龙茶", {"price": 30.0, "kind": "tea", "产地": "福建"}),
    Item("g1", "Hand grinder", {"price": 55.0, "material": "steel", "kind": "grinder"}),
    Item("g2", "Electric grinder", {"price": 80.0, "material": "plastic", "kind": "grinder"}),
    Item("m1", "Enamel mug", {"price": 8.0, "material": "enamel", "kind": "mug"}),
    Item("m2", "Glass mug", {"price": 11.0, "material": "glass", "kind": "mug"}),
]
HISTORY = {
    "ann": ["g2", "t1"],
    "bob": ["k1", "k3", "t1", "m2"],
    "cat": ["k1", "t1", "t3", "m1"],
    "dan": ["g1", "g2", "k1"],
    "eva": ["t2", "t4", "m2"],
    "fay": ["k1", "k3", "g1"],
    "gus": ["t2", "t4", "t1"],
    "new": [],
}
REVIEWS = [
    ("r1", "ann", "g2", "The motor is far too loud. I need a quiet motor.", 2.0),
    ("r2", "bob", "k1", "It boils with hardly any noise, a quiet motor indeed.", 5.0),
    ("r3", "cat", "k1", "The lid is loose and it leaks.", 2.0),
    ("r4", "dan", "g1", "Quiet motor? No motor at all, quiet and sturdy.", 5.0),
    ("r5", "eva", "t2", "香味很清新，不苦。", 5.0),
    ("r6", "gus", "t4", "香味浓郁，回甘很好。", 5.0),
    ("r7", "eva", "t4", "喜欢清新的香味。", 4.0),
]


class WordEmbedder:
    """Bag of words and Chinese bigrams hashed into 64 dimensions; offline and instant."""

    embedder_id = "words@1"
    dimension = 64

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"[a-z]+|[\u3400-\u9fff]", text.lower()) or ["?"]:
                row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimension] += 1
            row /= np.linalg.norm(row)
        return rows


def aspect_row(
    subject_id: str,
    aspect: str,
    polarity: Polarity,
    quotes: Sequence[tuple[str, str]],
    strength: float = 1.0,
    lang: str = "en",
) -> AspectRow:
    return AspectRow(
        content_hash(subject_id, aspect, polarity)[:16],
        aspect,
        aspect,
        polarity,
        strength,
        len(quotes),
        NOW,
        NOW,
        lang,
        tuple(Quote(*quote) for quote in quotes),
    )


def attribute_evidence(item: Item) -> list[Evidence]:
    return [
        Evidence(
            f"attribute:{item.item_id}:{name}",
            "item",
            item.item_id,
            "attribute",
            f"{name}: {value}",
            "en",
            "",
            EPOCH,
            1.0,
            content_hash(f"{name}: {value}"),
        )
        for name, value in item.attributes.items()
        if isinstance(value, str)
    ]


def _profile(subject: Subject, subject_id: str, rows: Sequence[AspectRow], text: str) -> Profile:
    sentences = (ProfileSentence(text, tuple(row.row_id for row in rows)),) if text else ()
    return Profile(subject, subject_id, tuple(rows), sentences, NOW, content_hash(text))


def profiles() -> list[Profile]:
    listed = {
        item.item_id: [
            aspect_row(
                item.item_id, e.evidence_id.split(":")[2], "context", [(e.evidence_id, e.text)]
            )
            for e in attribute_evidence(item)
        ]
        for item in ITEMS
    }
    rows: dict[str, list[AspectRow]] = {
        "k1": [
            aspect_row("k1", "noise", "like", [("review:r2:item", "hardly any noise")], 0.9),
            aspect_row("k1", "lid", "dislike", [("review:r3:item", "The lid is loose")], 0.8),
        ],
        "g1": [aspect_row("g1", "noise", "like", [("review:r4:item", "quiet and sturdy")], 0.9)],
        "g2": [aspect_row("g2", "noise", "dislike", [("review:r1:item", "motor is far too loud")])],
        "t2": [aspect_row("t2", "香味", "like", [("review:r5:item", "香味很清新")], lang="zh")],
        "t4": [
            aspect_row(
                "t4", "香味", "like",
                [("review:r6:item", "香味浓郁"), ("review:r7:item", "喜欢清新的香味")], lang="zh",
            )
        ],
    }  # fmt: skip
    made = []
    for item in ITEMS:
        own = [*rows.get(item.item_id, []), *listed[item.item_id]]
        text = " ".join(quote.text for row in own for quote in row.quotes)
        made.append(_profile("item", item.item_id, own, text))
    ann = [
        aspect_row("ann", "noise", "need", [("review:r1:user", "I need a quiet motor")]),
        aspect_row("ann", "kind", "like", [("attribute:t1:kind", "kind: tea")], 0.5),
    ]
    eva = [
        aspect_row("eva", "香味", "like", [("review:r7:user", "喜欢清新的香味")], lang="zh"),
        aspect_row("eva", "产地", "like", [("attribute:t2:产地", "产地: 福建")], 0.6, "zh"),
    ]
    made.append(_profile("user", "ann", ann, "Needs a quiet motor. Likes tea."))
    made.append(_profile("user", "eva", eva, "喜欢清新的香味，喜欢福建的茶。"))
    return made


def fill(stores: Stores, *, with_profiles: bool = True) -> None:
    """The whole shop: tables, evidence, profiles and vectors."""
    stores.catalog.upsert_items(ITEMS)
    stores.catalog.upsert_users(User(user_id) for user_id in HISTORY)
    stores.event_log.append_interactions(
        Interaction(user_id, item_id, "purchase", 1.0, NOW - timedelta(days=10 * at))
        for user_id, item_ids in HISTORY.items()
        for at, item_id in enumerate(item_ids)
    )
    stores.event_log.append_reviews(
        Review(review_id, user_id, item_id, text, rating, NOW, "zh" if text[0] > "z" else "en")
        for review_id, user_id, item_id, text, rating in REVIEWS
    )
    stores.event_log.append_evidence(e for item in ITEMS for e in attribute_evidence(item))
    if not with_profiles:
        return
    titles = {item.item_id: item.title for item in ITEMS}
    for profile in profiles():
        stores.profiles.put(profile)
        index = stores.item_index if profile.subject == "item" else stores.user_index
        title = titles.get(profile.subject_id, "")
        text = f"{title}. {profile.text}"
        index.upsert([profile.subject_id], stores.embedder.embed([text]), [text], [profile.version])
