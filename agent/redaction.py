"""Query texts without what identifies a person: what is kept for evaluation goes through here.

Addresses and numbers are found by their form. Names, nicknames and what somebody tells of
themselves in words stay: no rule finds those, which is why keeping requests needs consent.
In doubt a number goes: a lost order number spoils a question, a kept phone number harms somebody.
"""

from __future__ import annotations

import re
from functools import partial

# Blanks, dots and dashes as people write them between groups of digits, invisible ones included.
_GAP = r"[ \u00a0\u2007\u2009\u202f\t.\-\u2010-\u2015\u2212\uff0d\u200b-\u200d\u2060\ufeff]"
_GAPS = rf"{_GAP}{{0,3}}"
_BEFORE = r"(?<!\d)"
_AFTER = r"(?!\d)"

# Letters of an address; Chinese stands next to it without a blank and is none of it.
_WORDISH = r"(?:(?![\u2e80-\u9fff\uac00-\ud7af\uff00-\uff65])[\w\-])"
_ADDRESS = (
    rf"(?:{_WORDISH}|[.+%]){{1,64}}\s?[@＠]\s?{_WORDISH}{{1,63}}(?:[.．。]{_WORDISH}{{1,63}})+"
)
_IBAN = (
    r"(?i)(?<![a-z0-9])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,3})?(?<=\d)(?![a-z0-9])"
)
_DAY = r"(?:19|20)\d\d(?:[-.]\d{1,2}){0,2}"
_DAYS = re.compile(rf"{_DAY}(?:[ \-\u2013]{{1,3}}{_DAY})*")

# In order: what an earlier rule took, a later one does not see.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Secrets stand behind the question mark or hash of a link, and before its host.
    (
        re.compile(r"(?i)((?:\b[a-z][a-z0-9+.\-]{0,20}://|\bwww\.)[^\s?#«»]{1,2000})[?#][^\s«»]+"),
        r"\1?«query»",
    ),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.\-]{0,20}://)[^\s/?#@«»]{1,300}@"), r"\1«user»@"),
    (re.compile(_ADDRESS), "«email»"),
    # Identity numbers: Chinese (17 digits and a check character), IBAN, US social security,
    # passports and the like (one or two letters and six digits or more).
    (re.compile(rf"{_BEFORE}\d{{17}}[\dXxＸｘ]{_AFTER}"), "«id»"),
    (re.compile(rf"{_BEFORE}\d{{6}}{_GAP}\d{{8}}{_GAP}\d{{3}}[\dXxＸｘ]{_AFTER}"), "«id»"),
    (re.compile(_IBAN), "«id»"),
    (re.compile(rf"{_BEFORE}\d{{3}}[- ]\d{{2}}[- ]\d{{4}}{_AFTER}"), "«id»"),
    (re.compile(r"(?i)(?<![a-z0-9])[a-z]{1,2}\d{6,12}(?![a-z0-9])"), "«id»"),
    # Phones after a plus, in groups of any size.
    (re.compile(rf"(?:[+＋]|\(\+?)\s?\d(?:[()]?{_GAPS}[()]?\d){{6,15}}{_AFTER}"), "«phone»"),
    # Payment cards: 13 to 19 digits, in groups or not.
    (re.compile(rf"{_BEFORE}\d(?:{_GAPS}\d){{12,18}}{_AFTER}"), "«card»"),
    # Other phones: 9 digits or more in groups of which one has 3, else from a leading 0, else
    # 7 digits as 3-4. Sizes and prices are shorter.
    (re.compile(rf"{_BEFORE}(?=[\d\W]{{0,30}}?\d{{3}})\d(?:{_GAPS}\d){{8,15}}{_AFTER}"), "«phone»"),
    (re.compile(rf"(?<!\d[ .\-]){_BEFORE}0\d(?:{_GAPS}\d){{6,14}}{_AFTER}"), "«phone»"),
    (re.compile(rf"{_BEFORE}\d{{3}}[-.]\d{{4}}{_AFTER}"), "«phone»"),
    # What is left of seven digits in one piece is some number of somebody's.
    (re.compile(rf"{_BEFORE}\d{{7,}}{_AFTER}"), "«number»"),
)


def redact(text: str) -> str:
    """The text with addresses and personal numbers replaced by «email», «phone», «card» and so on.

    Digits of every script count; years and dates stay. Redacting what is redacted changes
    nothing; "" gives "".
    """
    for pattern, mark in _RULES:
        text = pattern.sub(partial(_replaced, mark=mark), text)
    return text


def _replaced(found: re.Match[str], mark: str) -> str:
    return found.group() if _DAYS.fullmatch(found.group()) else found.expand(mark)
