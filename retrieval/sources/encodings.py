"""Which encoding a text file is in when it says nothing about it and is not UTF-8."""

from __future__ import annotations

import re
from collections.abc import Sequence

from charset_normalizer import from_bytes

# Where neither rule below decides; latin-1 is read as its superset cp1252.
_OTHERS = ["cp1252", "cp1251", "shift_jis", "euc_kr"]
# The everyday characters of both Chinese encodings stand together in one block each.
_GBK_COMMON = re.compile(rb"[\xb0-\xd7][\xa1-\xfe]|[\xa1\xa3][\xa1-\xfe]")
_GBK_ANY = re.compile(rb"[\x81-\xfe](?:[\x40-\x7e\x80-\xfe]|[0-9][\x81-\xfe][0-9])")
_BIG5_COMMON = re.compile(rb"[\xa4-\xc6][\x40-\x7e\xa1-\xfe]|\xa1[\x40-\x7e\xa1-\xfe]")
_BIG5_ANY = re.compile(rb"[\x81-\xfe][\x40-\x7e\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_CHINESE_SHARE = 0.7
_UTF8_SHARE = 0.5
_DECODABLE_SHARE = 0.8


def guess_encoding(lines: Sequence[bytes]) -> str:
    """Name of the likeliest encoding.

    Short samples mislead statistical detectors ("Café" is read as Cyrillic), and Palate's
    languages are few, so two plain rules come first: common Chinese characters, and
    accents among many ASCII letters.

    Args:
        lines: lines with non-ASCII bytes; none gives "utf-8".
    """
    if sum(_decodes(line, "utf-8") for line in lines) >= _UTF8_SHARE * len(lines):
        return "utf-8"  # a few broken lines; each is rejected by itself
    gbk = _share(lines, "gb18030", _GBK_ANY, _GBK_COMMON)
    big5 = _share(lines, "big5", _BIG5_ANY, _BIG5_COMMON)
    if max(gbk, big5) >= _CHINESE_SHARE:
        return "gb18030" if gbk >= big5 else "big5"
    text = b"\n".join(lines)
    if len(_ASCII_LETTER.findall(text)) >= 2 * len(_HIGH.findall(text)):
        return "cp1252"
    best = from_bytes(text, cp_isolation=_OTHERS).best()
    return best.encoding.replace("_", "-") if best is not None else "cp1252"


def wide_without_bom(head: bytes) -> str:
    """UTF-16 without a BOM, else "": in mostly ASCII text every other byte is NUL."""
    even, odd = head[0::2], head[1::2]
    if odd and odd.count(0) > 0.4 * len(odd) and even.count(0) < 0.05 * len(even):
        return "utf-16-le"
    if odd and even.count(0) > 0.4 * len(even) and odd.count(0) < 0.05 * len(odd):
        return "utf-16-be"
    return ""


def _share(
    lines: Sequence[bytes], encoding: str, any_: re.Pattern[bytes], common: re.Pattern[bytes]
) -> float:
    """Share of common characters among the non-ASCII ones; 0 when hardly a line decodes."""
    decodable = [line for line in lines if _decodes(line, encoding)]
    if len(decodable) < _DECODABLE_SHARE * len(lines):
        return 0.0
    characters = [one for line in decodable for one in any_.findall(line)]
    return sum(1 for one in characters if common.fullmatch(one)) / max(1, len(characters))


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
