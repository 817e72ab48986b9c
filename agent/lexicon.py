"""The few words by which the scripted model reads a text; English and Chinese."""

from __future__ import annotations

import re


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


LIKED = _set("""love loves loved like likes liked great good excellent amazing perfect best nice
    fantastic awesome wonderful beautiful sturdy durable comfortable easy warm rich clear crisp
    smooth reliable happy recommend impressed solid delicious fresh balanced favourite favorite
    pleased superb quiet bright soft""")
DISLIKED = _set("""hate hates hated dislike bad poor terrible awful worst broke broken broken-down
    cheaply flimsy disappointed disappointing useless weak noisy uncomfortable difficult hard bitter
    sour thin heavy slow fails failed return returned unreliable ugly harsh bland loud
    scratchy dull tinny""")
PRICE = _set("price cheap expensive cost costs value money bargain overpriced worth")
NEED = _set("need needs needed want wants wanted wish looking")
CONTEXT = _set("gift camping travel office kitchen studio stage beginner daily trip")
NEGATIONS = _set("not no never don't doesn't didn't isn't wasn't won't can't")
STOP = _set("""the a an and or but if of to in on at for with from by is are was were be been
    being it its this that these those i my me we our you your he she they them his her their as so
    very really just too also have has had do does did will would can could should than then there
    here when while which who what how all any some more most much many one two get got use used
    using out up down over about after before because again still only even not no never don't
    doesn't didn't isn't wasn't won't can't likes dislikes needs user item customer people say
    says said""")
LIKED_ZH = (
    "喜欢",
    "很好",
    "不错",
    "好喝",
    "好听",
    "好用",
    "满意",
    "推荐",
    "舒服",
    "漂亮",
    "清晰",
    "结实",
)
DISLIKED_ZH = (
    "不喜欢",
    "讨厌",
    "失望",
    "太差",
    "很差",
    "不好",
    "难用",
    "难喝",
    "坏了",
    "退货",
    "刺耳",
)
PRICE_ZH = ("价格", "便宜", "太贵", "很贵", "性价比", "划算")
NEED_ZH = ("需要", "想要", "希望", "想买")
ASPECT_ZH = (
    "音质", "声音", "味道", "口感", "做工", "质量", "价格", "外观", "颜色", "重量", "手感",
    "电池", "包装", "香味", "酸度", "容量", "材质", "尺寸", "操作", "物流",
)  # fmt: skip

_WORD = re.compile(r"[a-z0-9][a-z0-9'-]*", re.IGNORECASE)
_CJK = re.compile(r"[\u3400-\u9fff]+")
_CLAUSE = re.compile(r"[^.!?;,\n\u3002\uff01\uff1f\uff1b\uff0c]+")
_NEGATIVE_LINE = re.compile(r"dislike|avoid|不喜欢|讨厌", re.IGNORECASE)
_MAX_LINES = 4


def words(text: str) -> set[str]:
    """Content words: lower-cased Latin words of three letters or more, and CJK bigrams."""
    found = {
        word.lower() for word in _WORD.findall(text) if len(word) > 2 and word.lower() not in STOP
    }
    for run in _CJK.findall(text):
        found.update(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return found


def split_liked(profile: str) -> tuple[set[str], set[str]]:
    """Content words of a profile's lines and sentences: (welcome, disliked)."""
    liked: set[str] = set()
    disliked: set[str] = set()
    for sentence in re.split(r"[.!;\n\u3002\uff01\uff1b]+", profile):
        (disliked if _NEGATIVE_LINE.search(sentence) else liked).update(words(sentence))
    return liked, disliked


def extraction_lines(text: str) -> list[str]:
    """At most four ``aspect | polarity | exact quote`` lines; the quotes occur in ``text``."""
    lines: list[str] = []
    aspects: set[str] = set()
    for match in _CLAUSE.finditer(text):
        quote = match.group().strip()
        polarity = polarity_of(quote)
        aspect = _aspect_of(quote)
        if polarity and aspect and "|" not in quote and aspect not in aspects:
            aspects.add(aspect)
            lines.append(f"{aspect} | {polarity} | {quote}")
        if len(lines) == _MAX_LINES:
            break
    return lines


def polarity_of(clause: str) -> str:
    """like, dislike, need, price or context; "" when no word of the lexicon occurs."""
    found = [word.lower() for word in _WORD.findall(clause)]
    if PRICE.intersection(found) or any(word in clause for word in PRICE_ZH):
        return "price"
    if any(word in clause for word in DISLIKED_ZH):
        return "dislike"
    if any(word in clause for word in LIKED_ZH):
        return "like"
    negated = bool(NEGATIONS.intersection(found))
    if LIKED.intersection(found):
        return "dislike" if negated else "like"
    if DISLIKED.intersection(found):
        return "like" if negated else "dislike"
    if NEED.intersection(found) or any(word in clause for word in NEED_ZH):
        return "need"
    return "context" if CONTEXT.intersection(found) else ""


def _aspect_of(clause: str) -> str:
    chinese = next((aspect for aspect in ASPECT_ZH if aspect in clause), "")
    if chinese:
        return chinese
    opinion = LIKED | DISLIKED | NEED
    content = [
        word.lower()
        for word in _WORD.findall(clause)
        if len(word) > 2 and word.lower() not in STOP | opinion and not word.isdigit()
    ]
    return content[0] if content else ""
