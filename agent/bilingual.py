"""Attribute values that a shop states in one language and people refuse in the other."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH_OF: Mapping[str, str] = {
    "塑料": "plastic", "玻璃": "glass", "不锈钢": "steel", "钢": "steel", "铁": "iron",
    "铝": "aluminium", "陶瓷": "ceramic", "木": "wood", "木头": "wood", "竹": "bamboo",
    "皮革": "leather", "真皮": "leather", "棉": "cotton", "羊毛": "wool", "丝绸": "silk",
    "橡胶": "rubber", "糖": "sugar", "牛奶": "milk", "奶": "milk", "坚果": "nuts",
    "花生": "peanuts", "大豆": "soy", "麸质": "gluten", "酒精": "alcohol",
    "咖啡因": "caffeine", "红色": "red", "黑色": "black", "白色": "white", "蓝色": "blue",
    "绿色": "green", "黄色": "yellow", "粉色": "pink", "紫色": "purple", "红茶": "black tea",
    "绿茶": "green tea", "咖啡豆": "coffee beans", "红葡萄酒": "red wine",
    "白葡萄酒": "white wine",
}  # fmt: skip
"""Chinese -> English; both folded. Only words with one plain counterpart."""
