"""Draws the pictures of the demo shop. A developer's tool: the PNG files are committed.

    python demo/draw.py [--font-latin FILE] [--font-cjk FILE] [ITEM ...]

Each picture carries what ``items.csv`` does not say: words on the label, a badge, the
colour. Only whoever looks at the picture can know that the evening coffee is decaf.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE = 400
SCALE = 2  # drawn twice as large and scaled down, for smooth edges
COLOURS = 48
IMAGES = Path(__file__).parent / "shop" / "images"
LATIN = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")

INK, PAPER, CREAM = "#1b1b1d", "#ffffff", "#f6efdc"
STEEL, DARK_STEEL, WOOD, GLASS = "#c3c6ca", "#6d7076", "#80542f", "#d9ecf2"


@dataclass(frozen=True)
class Drawing:
    """What is drawn: a shape, its colour, the words on its label and on its badge."""

    shape: str
    colour: str
    label: tuple[str, ...]
    badge: str = ""
    badge_colour: str = "#cfa32b"
    paper: str = CREAM


DRAWINGS: dict[str, Drawing] = {
    "tea-sencha": Drawing("tin", "#3e9b4b", ("SENCHA", "煎茶"), "ORGANIC", "#1e4d2f"),
    "tea-longjing": Drawing("tin", "#a6d48a", ("龙井", "明前特级"), "HAND PICKED", "#1e4d2f"),
    "tea-matcha": Drawing("tin", "#1e4d2f", ("抹茶", "STONE GROUND"), "BIO"),
    "tea-jasmine": Drawing("tin", "#efa3be", ("JASMINE", "茉莉花茶"), "无香精", "#7b1e24"),
    "tea-assam": Drawing("box", "#d22b2b", ("ASSAM", "50 TEA BAGS"), "VALUE PACK"),
    "tea-earl-grey": Drawing("tin", "#2f6fc6", ("EARL GREY", "LOOSE LEAF"), "FAIRTRADE", "#1e4d2f"),
    "tea-lapsang": Drawing("tin", "#17171a", ("LAPSANG", "PINE SMOKED"), "STRONG", "#d22b2b"),
    "tea-keemun": Drawing("box", "#7b1e24", ("KEEMUN", "安徽红茶"), "GIFT BOX"),
    "tea-chai": Drawing("bag", "#ee8026", ("MASALA CHAI", "8 SPICES"), "NO SUGAR", "#7b1e24"),
    "tea-tieguanyin": Drawing("box", "#38b5ad", ("铁观音", "清香型"), "秋茶", "#7b1e24"),
    "tea-dahongpao": Drawing("tin", "#7b1e24", ("大红袍", "传统炭焙"), "武夷岩茶"),
    "tea-puerh": Drawing("cake", "#432818", ("普洱茶", "2012", "357g")),
    "tea-chamomile": Drawing("box", "#c3aee0", ("CHAMOMILE", "20 BAGS"), "PLASTIC FREE", "#1e4d2f"),
    "tea-rooibos": Drawing("bag", "#d22b2b", ("ROOIBOS", "VANILLA"), "无糖", "#1c2a55"),
    "tea-ginger": Drawing("box", "#f7dc3a", ("GINGER", "TURMERIC"), "EXTRA HOT", "#d22b2b"),
    "coffee-yirgacheffe": Drawing(
        "bag", "#9ccbea", ("YIRGACHEFFE", "FLORAL"), "FRESH ROAST", "#d22b2b"
    ),
    "coffee-kenya": Drawing("bag", "#c2307f", ("KENYA AA", "SINGLE ESTATE"), "TOP LOT"),
    "coffee-colombia": Drawing("bag", "#3e9b4b", ("COLOMBIA", "SHADE GROWN"), "ORGANIC", "#80542f"),
    "coffee-brazil": Drawing("bag", "#f7dc3a", ("BRAZIL SANTOS", "1 KG"), "BIG BAG", "#2f6fc6"),
    "coffee-yunnan": Drawing("bag", "#cfa32b", ("云南咖啡", "小粒种"), "庄园直供", "#7b1e24"),
    "coffee-midnight": Drawing("bag", "#1c2a55", ("MIDNIGHT", "30% ROBUSTA"), "DARK", "#d22b2b"),
    "coffee-mandheling": Drawing("bag", "#432818", ("曼特宁", "LOW ACID"), "WET HULLED"),
    "coffee-evening": Drawing("bag", "#73439a", ("EVENING", "DECAF"), "低因咖啡"),
    "coffee-coldbrew": Drawing("box", "#2f6fc6", ("COLD BREW", "12 BAGS"), "无糖", "#d22b2b"),
    "coffee-instant": Drawing("jar", "#80542f", ("INSTANT", "速溶咖啡"), "0 SUGAR", "#d22b2b"),
    "grinder-hand": Drawing("hand_grinder", "#45464b", ("CERAMIC", "BURR"), "20 g"),
    "grinder-electric": Drawing("machine", "#1e4d2f", ("SILENT", "MOTOR"), "45 dB"),
    "kettle-gooseneck": Drawing("gooseneck", "#b8733a", ("500ml",), "INDUCTION", "#1c2a55"),
    "kettle-electric": Drawing(
        "kettle", "#fafafa", ("1.7 L", "304 不锈钢"), "KEEP WARM", "#d22b2b"
    ),
    "dripper": Drawing("dripper", "#38b5ad", ("1-4 CUPS",), "MADE BY HAND"),
    "french-press": Drawing("press", "#d22b2b", ("600ml",), "BPA FREE", "#1e4d2f"),
    "moka-pot": Drawing("moka", "#ee8026", ("6 CUPS",), "NO INDUCTION", "#7b1e24"),
    "paper-filters": Drawing("box", "#d4bc94", ("FILTERS", "SIZE 02"), "100 PCS", "#80542f"),
    "scale": Drawing("scale", "#17171a", ("0.1 g", "TIMER"), "USB-C"),
    "whisk": Drawing("whisk", "#d4bc94", ("100 本立",), "HANDMADE", "#1e4d2f"),
    "travel-mug": Drawing("mug", "#ee8026", ("450ml", "LEAK PROOF"), "12 H HOT", "#7b1e24"),
    "gaiwan": Drawing("gaiwan", "#fafafa", ("110ml",), "景德镇", "#2f6fc6"),
    "teapot-iron": Drawing("teapot", "#1c2a55", ("1.2 L",), "南部鉄器", "#7b1e24"),
    "teapot-yixing": Drawing("teapot", "#7b1e24", ("180ml",), "原矿朱泥"),
    "teapot-glass": Drawing("teapot", "#d9ecf2", ("800ml",), "HEAT PROOF", "#d22b2b"),
    "biscotti": Drawing("bag", "#d4bc94", ("BISCOTTI", "TWICE BAKED"), "NUTS", "#d22b2b"),
    "mochi": Drawing("box", "#a6d48a", ("MOCHI", "抹茶麻薯"), "VEGAN", "#1e4d2f"),
    "oat-creamer": Drawing("carton", "#9ccbea", ("OAT DRINK", "BARISTA"), "无添加糖", "#1c2a55"),
}

Box = tuple[float, float, float, float]


class Canvas:
    """Draws in a 400 x 400 coordinate system, whatever the scale."""

    def __init__(self, background: str, latin: Path, cjk: Path) -> None:
        self.image = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), background)
        self._draw = ImageDraw.Draw(self.image)
        self._latin, self._cjk = latin, cjk

    def box(self, at: Box, fill: str, radius: float = 0, line: str | None = None) -> None:
        self._draw.rounded_rectangle(
            [value * SCALE for value in at], radius * SCALE, fill, line, width=2 * SCALE
        )

    def oval(self, at: Box, fill: str | None, line: str | None = None, width: float = 2) -> None:
        self._draw.ellipse([value * SCALE for value in at], fill, line, round(width * SCALE))

    def shape(self, points: Sequence[tuple[float, float]], fill: str) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill)

    def stroke(self, points: Sequence[tuple[float, float]], fill: str, width: float) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, fill, round(width * SCALE), joint="curve")

    def text(self, at: Box, lines: tuple[str, ...], fill: str) -> None:
        """Lines as large as fit into the box, centred."""
        left, top, right, bottom = (value * SCALE for value in at)
        step = (bottom - top) / len(lines)
        for number, line in enumerate(lines):
            font = self._fitting(line, right - left, step * 0.86)
            middle = ((left + right) / 2, top + step * (number + 0.5))
            self._draw.text(middle, line, fill, font, anchor="mm")

    def _fitting(self, line: str, width: float, height: float) -> ImageFont.FreeTypeFont:
        path = self._latin if line.isascii() else self._cjk
        for size in range(round(height), 8, -1):
            font = ImageFont.truetype(str(path), size)
            if font.getlength(line) <= width:
                return font
        raise ValueError(f"{line!r} does not fit")


def label(canvas: Canvas, drawing: Drawing, at: Box) -> None:
    """A paper label with the words."""
    canvas.box(at, drawing.paper, 6)
    left, top, right, bottom = at
    canvas.text((left + 8, top + 6, right - 8, bottom - 6), drawing.label, INK)


def tin(canvas: Canvas, drawing: Drawing) -> None:
    canvas.box((100, 70, 300, 360), drawing.colour, 12)
    canvas.box((92, 52, 308, 108), drawing.colour, 14, line=INK)
    label(canvas, drawing, (108, 170, 292, 310))


def box(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(60, 130), (90, 90), (340, 90), (340, 130)], INK)
    canvas.box((60, 128, 340, 350), drawing.colour, 4)
    label(canvas, drawing, (85, 180, 315, 310))


def bag(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(98, 90), (302, 90), (318, 365), (82, 365)], drawing.colour)
    canvas.box((96, 62, 304, 100), drawing.colour, 4, line=INK)
    label(canvas, drawing, (104, 180, 296, 315))


def cake(canvas: Canvas, drawing: Drawing) -> None:
    canvas.oval((45, 70, 355, 380), drawing.colour)
    canvas.oval((105, 130, 295, 320), drawing.paper)
    canvas.text((125, 150, 275, 300), drawing.label, "#7b1e24")


def jar(canvas: Canvas, drawing: Drawing) -> None:
    canvas.box((125, 55, 275, 105), INK, 8)
    canvas.box((100, 105, 300, 360), drawing.colour, 30)
    label(canvas, drawing, (108, 180, 292, 310))


def carton(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(110, 110), (290, 110), (260, 60), (140, 60)], INK)
    canvas.box((110, 108, 290, 368), drawing.colour)
    label(canvas, drawing, (118, 190, 282, 310))


def hand_grinder(canvas: Canvas, drawing: Drawing) -> None:
    canvas.stroke([(200, 60), (200, 40), (310, 40)], DARK_STEEL, 12)
    canvas.oval((295, 20, 335, 60), WOOD)
    canvas.box((130, 65, 270, 370), drawing.colour, 16)
    canvas.box((130, 230, 270, 244), STEEL)
    label(canvas, drawing, (138, 110, 262, 205))


def machine(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(120, 40), (280, 40), (255, 120), (145, 120)], GLASS)
    canvas.box((105, 118, 295, 300), drawing.colour, 14)
    canvas.box((90, 340, 310, 370), drawing.colour, 6)
    canvas.box((150, 300, 250, 340), DARK_STEEL)
    label(canvas, drawing, (118, 150, 282, 265))


def gooseneck(canvas: Canvas, drawing: Drawing) -> None:
    curve = [(130, 310), (70, 290), (70, 190), (50, 140), (25, 135)]
    canvas.stroke(curve, drawing.colour, 16)
    canvas.shape([(130, 140), (290, 140), (320, 350), (100, 350)], drawing.colour)
    canvas.stroke([(285, 160), (365, 160), (365, 280), (310, 290)], INK, 16)
    canvas.oval((190, 100, 230, 140), INK)
    label(canvas, drawing, (135, 205, 285, 285))


def kettle(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(110, 90), (60, 70), (115, 170)], drawing.colour)
    canvas.shape([(120, 70), (280, 70), (300, 330), (95, 330)], drawing.colour)
    canvas.stroke([(280, 100), (345, 110), (345, 280), (298, 300)], INK, 20)
    canvas.box((85, 335, 310, 368), INK, 8)
    label(canvas, drawing, (115, 150, 282, 275))


def dripper(canvas: Canvas, drawing: Drawing) -> None:
    canvas.shape([(70, 110), (330, 110), (235, 300), (165, 300)], drawing.colour)
    canvas.box((110, 298, 290, 325), drawing.colour, 8)
    canvas.oval((300, 130, 375, 215), None, drawing.colour, 16)
    label(canvas, drawing, (120, 150, 280, 210))


def press(canvas: Canvas, drawing: Drawing) -> None:
    canvas.stroke([(200, 30), (200, 90)], DARK_STEEL, 8)
    canvas.oval((180, 15, 220, 50), drawing.colour)
    canvas.box((110, 80, 290, 105), drawing.colour, 8)
    canvas.box((118, 105, 282, 355), GLASS, 8)
    canvas.box((118, 220, 282, 355), "#432818", 8)
    canvas.stroke([(285, 130), (350, 130), (350, 310), (285, 310)], drawing.colour, 18)
    canvas.box((110, 345, 290, 372), drawing.colour, 8)
    label(canvas, drawing, (130, 130, 270, 205))


def moka(canvas: Canvas, drawing: Drawing) -> None:
    canvas.oval((185, 30, 215, 60), INK)
    canvas.shape([(130, 60), (270, 60), (280, 205), (150, 205), (95, 95)], drawing.colour)
    canvas.box((145, 200, 285, 222), DARK_STEEL)
    canvas.shape([(148, 220), (282, 220), (310, 365), (120, 365)], drawing.colour)
    canvas.stroke([(275, 85), (355, 90), (345, 220)], INK, 18)
    label(canvas, drawing, (145, 255, 285, 325))


def scale(canvas: Canvas, drawing: Drawing) -> None:
    canvas.box((50, 110, 350, 350), drawing.colour, 22)
    canvas.box((75, 130, 325, 240), DARK_STEEL, 10)
    label(canvas, drawing, (85, 250, 315, 338))


def whisk(canvas: Canvas, drawing: Drawing) -> None:
    for tine in range(-9, 10):
        canvas.stroke([(200 + tine * 4, 190), (200 + tine * 11, 360)], drawing.colour, 4)
    canvas.box((155, 50, 245, 195), drawing.colour, 10)
    label(canvas, drawing, (110, 95, 290, 160))


def mug(canvas: Canvas, drawing: Drawing) -> None:
    canvas.box((125, 45, 275, 95), INK, 14)
    canvas.shape([(118, 92), (282, 92), (262, 368), (138, 368)], drawing.colour)
    label(canvas, drawing, (132, 170, 268, 290))


def gaiwan(canvas: Canvas, drawing: Drawing) -> None:
    canvas.oval((180, 65, 220, 100), drawing.colour, DARK_STEEL)
    canvas.shape([(110, 140), (165, 95), (235, 95), (290, 140)], STEEL)
    canvas.shape([(85, 145), (315, 145), (255, 315), (145, 315)], drawing.colour)
    canvas.stroke([(85, 145), (145, 315), (255, 315), (315, 145), (85, 145)], DARK_STEEL, 3)
    canvas.oval((60, 310, 340, 355), drawing.colour, DARK_STEEL, 3)
    canvas.text((130, 175, 270, 245), drawing.label, INK)


def teapot(canvas: Canvas, drawing: Drawing) -> None:
    line = DARK_STEEL if drawing.colour == GLASS else drawing.colour
    canvas.stroke([(95, 160), (130, 60), (270, 60), (305, 160)], line, 12)
    canvas.shape([(100, 250), (30, 170), (50, 160), (120, 210)], drawing.colour)
    canvas.oval((75, 140, 325, 360), drawing.colour, line, 3)
    canvas.oval((180, 115, 220, 155), line)
    label(canvas, drawing, (130, 215, 270, 290))


SHAPES: dict[str, Callable[[Canvas, Drawing], None]] = {
    function.__name__: function
    for function in (
        tin, box, bag, cake, jar, carton, hand_grinder, machine, gooseneck, kettle, dripper,
        press, moka, scale, whisk, mug, gaiwan, teapot,
    )
}  # fmt: skip


def badge(canvas: Canvas, drawing: Drawing) -> None:
    """A banner in the upper left corner: what a shop prints over the photograph."""
    if drawing.badge:
        dark = drawing.badge_colour != "#cfa32b"
        canvas.box((12, 10, 172, 54), drawing.badge_colour, 10)
        canvas.text((20, 14, 164, 50), (drawing.badge,), PAPER if dark else INK)


def draw(drawing: Drawing, latin: Path, cjk: Path) -> Image.Image:
    """One picture, 400 x 400, few enough colours to stay small as a PNG."""
    pale = drawing.colour in ("#fafafa", GLASS)
    canvas = Canvas("#8c8d92" if pale else "#f4f4f4", latin, cjk)
    SHAPES[drawing.shape](canvas, drawing)
    badge(canvas, drawing)
    small = canvas.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small.quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the demo shop.")
    parser.add_argument("items", nargs="*", metavar="ITEM", help="item ids; all when left out")
    parser.add_argument("--font-latin", type=Path, default=LATIN)
    parser.add_argument("--font-cjk", type=Path, default=CJK)
    arguments = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    for item_id in arguments.items or DRAWINGS:
        picture = draw(DRAWINGS[item_id], arguments.font_latin, arguments.font_cjk)
        picture.save(IMAGES / f"{item_id}.png", optimize=True)


if __name__ == "__main__":
    main()
