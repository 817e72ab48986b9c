"""Words that are aimed at a model, not at a reader: they never become a row.

This list has no claim to be complete; rewordings pass it. What bounds an attack is the
structure around it: rows only, one vote an author, the promotion guard. The list keeps
the plainest commands out of what people read in profiles.
"""

from __future__ import annotations

import re
import unicodedata

from prompts.untrusted import sanitise

_MODEL = (
    r"(?:a\.?i\.?s?|assistants?|llms?|chat ?bots?|chatgpt|gpt\S*|language models?"
    r"|recommender\w*|ranking systems?|algorithms?)"
)
_PATTERNS = (
    r"\b(?:ignore|disregard|forget|override)\b.{0,30}"
    r"\b(?:previous|prior|above|earlier|all|any|your|the)\b.{0,30}"
    r"\b(?:instructions?|rules?|prompts?|guidelines|context|text)\b",
    r"\b(?:system|hidden|initial) prompt\b|\bprompt injection\b|\bjailbreak\b",
    r"\b(?:new|following|these|updated) instructions?\b.{0,20}(?::|-|\bapply\b|\boverride\b)",
    rf"\b{_MODEL}\b.{{0,40}}"
    r"\b(?:must|should|shall|has to|have to|needs? to|will|please|always)\b",
    rf"\b(?:dear|hey|hello|attention|note to|instruction to)\b.{{0,10}}\b{_MODEL}\b",
    r"\byou\b.{0,10}\b(?:must|shall|are required to)\b.{0,20}"
    r"\b(?:recommend|rank|choose|answer|output|respond|select|list)\b",
    r"\bmust (?:be )?(?:recommend|rank)",
    r"\brank\b.{0,20}\b(?:first|top|highest|number one|no\.? ?1|#1)\b",
    r"\b(?:put|place|list)\b.{0,25}"
    r"\b(?:first place|top of (?:the|your|every|all|any) (?:list|ranking|result)|rank 1)",
    r"\b(?:top|first place|number one) (?:of|in) (?:every|all|any|your) (?:list|ranking|result)",
    r"\b(?:do not|don'?t|never) (?:recommend|suggest|rank)"
    r" (?:any|other|another|the other)",
    r"\b(?:respond|reply|answer) (?:only|exactly|with)\b|\boutput (?:only|exactly)\b",
    r"\byou are (?:now|an? (?:ai|assistant))\b|\bact as\b.{0,20}\b(?:ai|assistant|expert)\b",
    r"(?:<|‹)\s*/?\s*(?:\||system|assistant|data\b|user\b)|[\[(]/?inst[\])]"
    r"|^\s*(?:system|assistant)\s*[:-]",
    r"(?:忽略|无视|忘记|忘掉).{0,8}(?:之前|以上|前面|上述|所有|一切|你的|此前).{0,8}"
    r"(?:指令|指示|内容|要求|提示|规则|命令)",
    r"(?:ai|人工智能|大模型|语言模型|推荐系统).{0,12}"
    r"(?:必须|务必|应当|一定要|请把|请将|请推荐|要把|要推荐|应该推荐)",
    r"(?:机器人|助手|算法).{0,12}(?:必须|务必)",
    r"(?:必须|务必|一定要).{0,8}(?:推荐|排在|排到|排名|列为)",
    r"(?:把|将).{0,16}(?:排在|排到|列在|放在|排为).{0,4}(?:第一|首位|最前|榜首)",
    r"排(?:在|到)第一",
    r"(?:系统|隐藏)提示|提示词|新的?指令|你现在是|你是一个?(?:ai|助手)|只(?:回答|输出|回复)",
    r"(?:不要|禁止|不准).{0,4}推荐(?:其他|别的|任何)",
)
_INSTRUCTION = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)


def is_instruction(text: str) -> bool:
    """Whether a text plainly tries to command a model, in English or Chinese."""
    folded = unicodedata.normalize("NFKC", sanitise(text)).replace("\n", " ")
    return _INSTRUCTION.search(folded) is not None
