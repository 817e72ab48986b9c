"""The page's plots: the only file that imports Plotly.

Every function takes plain numbers (``None`` where there is none) and names, and returns
Plotly's JSON. Names are somebody else's text: they are escaped, since Plotly reads markup.
Colours are Okabe and Ito's, which people who see few colours can tell apart; what a colour
says, a marker or a text says too.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

Numbers = Sequence[float | None]

INK, SOFT, LINE = "#1d2327", "#56616b", "#d9dee2"
BLUE, ORANGE, GREEN, PINK, SKY, GREY = (
    "#0072b2", "#d55e00", "#009e73", "#b5508a", "#56b4e9", "#8a949c",
)  # fmt: skip
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, INK)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
KINDS = {
    "base": ("S, the base", INK, "square"),
    "source": ("a source alone", GREY, "circle"),
    "variant": ("variant", BLUE, "diamond"),
    "control": ("control", ORANGE, "x"),
    "peer": ("a peer", GREEN, "triangle-up"),
    "fusion": ("another fusion of the same sources", PINK, "cross"),
}
# Blue is better and brown is worse, white is the same: safe for every kind of colour vision.
# The ends are light enough for dark text.
DIVERGING = [[0.0, "#bf812d"], [0.5, "#ffffff"], [1.0, "#4393c3"]]
FONT = 'system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif'
_LONGEST_NAME, _LONGEST_GROUP = 30, 10


def library() -> str:
    """plotly.js as the package ships it."""
    return str(get_plotlyjs())


def dots(
    names: Sequence[str], kinds: Sequence[str], means: Numbers, lows: Numbers, highs: Numbers,
    metric: str,
) -> str:  # fmt: skip
    """Mean and interval of every system, best place on top, with a line where S stands."""
    figure = _figure()
    for kind, (label, colour, symbol) in KINDS.items():
        mine = [i for i, one in enumerate(kinds) if one == kind and means[i] is not None]
        if not mine:
            continue
        figure.add_trace(
            go.Scatter(
                x=[means[i] for i in mine],
                y=[_tick(names[i]) for i in mine],
                name=label,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 11},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_gap(highs[i], means[i]) for i in mine],
                    "arrayminus": [_gap(means[i], lows[i]) for i in mine],
                    "color": colour,
                    "thickness": 1.8,
                    "width": 5,
                },
                customdata=[[_safe(names[i]), lows[i], highs[i]] for i in mine],
                hovertemplate="<b>%{customdata[0]}</b><br>%{x:.4f} "
                "[%{customdata[1]:.4f}, %{customdata[2]:.4f}]<extra></extra>",
            )
        )
    base = next((m for m, k in zip(means, kinds, strict=True) if k == "base"), None)
    if base is not None:
        figure.add_vline(x=base, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_yaxes(
        categoryorder="array", categoryarray=[_tick(name) for name in reversed(names)]
    )
    figure.update_xaxes(title_text=_safe(f"{metric}, mean over queries with its 95 % interval"))
    return _json(figure)


def heat(
    systems: Sequence[str],
    columns: Sequence[tuple[str, str, int]],
    deltas: Sequence[Numbers],
    counts: Sequence[Sequence[int]],
    fewest: int,
) -> str:
    """Delta to S by system and (stratum, group); groups with fewer queries than ``fewest`` grey.

    Args:
        systems: names of the rows, from the top.
        columns: (stratum, group, its queries).
        deltas: shape (systems, columns).
        counts: the same shape.
        fewest: queries that a group needs to be coloured.
    """
    enough = [[n >= fewest for n in row] for row in counts]
    seen = [
        [d if ok else None for d, ok in zip(row, oks, strict=True)]
        for row, oks in zip(deltas, enough, strict=True)
    ]
    widest = max((abs(d) for row in seen for d in row if d is not None), default=0.0) or 0.01
    x, y = [_group(*column) for column in columns], [_tick(name) for name in systems]
    grey = [[None if ok else 0.0 for ok in row] for row in enough]
    shared: dict[str, Any] = {"x": x, "y": y, "xgap": 2, "ygap": 2}
    hover = "%{y}<br>%{x}<br>%{customdata[0]} over %{customdata[1]} queries<extra></extra>"
    custom = [
        [[_sign(d), n] for d, n in zip(row, ns, strict=True)]
        for row, ns in zip(deltas, counts, strict=True)
    ]
    figure = _figure()
    figure.add_trace(
        go.Heatmap(z=grey, colorscale=[[0, "#e6e9eb"], [1, "#e6e9eb"]], showscale=False,
                   customdata=custom, hovertemplate=hover, **shared)
    )  # fmt: skip
    figure.add_trace(
        go.Heatmap(z=seen, zmid=0, zmin=-widest, zmax=widest, colorscale=DIVERGING,
                   colorbar={"title": {"text": "Δ to S"}, "thickness": 12, "tickformat": "+.2f"},
                   customdata=custom, hovertemplate=hover, hoverongaps=False, **shared)
    )  # fmt: skip
    for row, (values, oks) in enumerate(zip(deltas, enough, strict=True)):
        for column, (value, ok) in enumerate(zip(values, oks, strict=True)):
            figure.add_annotation(
                x=x[column], y=y[row], text=_sign(value), showarrow=False,
                font={"size": 12, "color": INK if ok else SOFT},
            )  # fmt: skip
    figure.update_xaxes(side="top", type="category", showgrid=False, tickangle=0)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return _json(figure)


def gains(lows: Sequence[float], counts: Sequence[int], width: float, metric: str) -> str:
    """How many queries gained or lost how much; ``lows`` are left edges, one bin holds 0."""
    centres = [low + width / 2 for low in lows]
    colours = [
        GREY if abs(centre) < width / 2 else BLUE if centre > 0 else ORANGE for centre in centres
    ]
    figure = _figure(legend=False)
    figure.add_trace(
        go.Bar(x=centres, y=list(counts), width=width * 0.92, marker={"color": colours},
               hovertemplate="Δ about %{x:+.2f}: %{y} queries<extra></extra>")
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=_safe(f"Δ {metric} of a query against S"), tickformat="+.1f")
    figure.update_yaxes(title_text="queries", rangemode="tozero")
    return _json(figure)


def curves(
    by_name: Mapping[str, tuple[Numbers | Sequence[str], Numbers]], x_title: str, y_title: str, *,
    downwards: bool = False,
) -> str:  # fmt: skip
    """A line a system through its (x, y) points; ``downwards`` when less is better."""
    figure = _figure()
    for at, (name, (x, y)) in enumerate(by_name.items()):
        figure.add_trace(
            go.Scatter(x=list(x), y=list(y), name=_tick(name), mode="lines+markers",
                       line={"color": _nth(SERIES, at), "dash": _nth(DASHES, at), "width": 2},
                       marker={"symbol": _nth(SYMBOLS, at), "size": 9},
                       hovertemplate="%{x}: %{y:.3f}")
        )  # fmt: skip
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title, autorange="reversed" if downwards else True)
    return _json(figure)


def bars(
    names: Sequence[str], by_series: Mapping[str, Numbers], title: str, *,
    limit: float | None = None, colours: Sequence[str] = SERIES,
) -> str:  # fmt: skip
    """Horizontal bars by name, side by side a series; ``limit`` is drawn as a line."""
    figure = _figure(legend=len(by_series) > 1)
    patterns = ("", "/", ".", "x")
    for at, (series, values) in enumerate(by_series.items()):
        figure.add_trace(
            go.Bar(y=[_tick(name) for name in names], x=list(values), name=_tick(series),
                   orientation="h", marker={"color": _nth(colours, at),
                   "pattern": {"shape": _nth(patterns, at), "fillmode": "overlay",
                   "fgcolor": "#ffffff", "fgopacity": 0.6, "size": 5}},
                   hovertemplate="%{y}: %{x:,.4~g}")
        )  # fmt: skip
    if limit is not None:
        figure.add_vline(x=limit, line={"color": INK, "width": 1.5, "dash": "dot"})
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_xaxes(title_text=_safe(title), rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return _json(figure)


def reliability(said: Numbers, true: Numbers, counts: Sequence[int]) -> str:
    """How often it was so against how sure the model said it was; the area is the count."""
    most = max(counts, default=0) or 1
    figure = _figure(legend=False)
    figure.add_trace(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                   line={"color": SOFT, "dash": "dot", "width": 1})
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=list(said), y=list(true), mode="lines+markers+text", text=[f"{n}" for n in counts],
            textposition="top center", textfont={"size": 11, "color": SOFT}, cliponaxis=False,
            line={"color": BLUE, "width": 1.5},
            marker={"color": BLUE, "size": [6 + 18 * (n / most) ** 0.5 for n in counts]},
            hovertemplate="said %{x:.2f}, true %{y:.2f}<br>%{text} judgements<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text="probability that the model gave", range=[-0.03, 1.03])
    figure.update_yaxes(title_text="share that was relevant", range=[-0.03, 1.08])
    return _json(figure)


def frontier(
    names: Sequence[str], kinds: Sequence[str], tokens: Numbers, means: Numbers,
    front: Sequence[int], metric: str,
) -> str:  # fmt: skip
    """Quality against tokens a query. ``front``: places of what nothing cheaper beats, by cost."""
    figure = _figure()
    if front:
        figure.add_trace(
            go.Scatter(x=[tokens[i] for i in front], y=[means[i] for i in front], mode="lines",
                       line={"color": SOFT, "width": 1.5, "dash": "dot", "shape": "hv"},
                       name="nothing cheaper is better", hoverinfo="skip")
        )  # fmt: skip
    for kind, (label, colour, symbol) in KINDS.items():
        mine = [i for i, one in enumerate(kinds) if one == kind]
        if mine:
            figure.add_trace(
                go.Scatter(
                    x=[tokens[i] for i in mine], y=[means[i] for i in mine], name=label,
                    mode="markers", customdata=[_safe(names[i]) for i in mine],
                    marker={"color": colour, "symbol": symbol, "size": 11},
                    hovertemplate="<b>%{customdata}</b><br>%{x:,.0f} tokens a query<br>"
                    "%{y:.4f}<extra></extra>",
                )
            )  # fmt: skip
    dearest = max((cost for cost in tokens if cost is not None), default=0.0) or 1.0
    for i in front:
        # Towards the middle, so that no name runs out of the plot.
        side = "left" if (tokens[i] or 0.0) < dearest / 2 else "right"
        figure.add_annotation(
            x=tokens[i], y=means[i], text=_tick(names[i]), showarrow=False, xanchor=side,
            xshift=10 if side == "left" else -10, yshift=10, font={"size": 11, "color": INK},
        )  # fmt: skip
    # Room at both ends: what costs nothing stands on 0.
    figure.update_xaxes(title_text="tokens a query", range=[-0.05 * dearest, 1.05 * dearest])
    figure.update_yaxes(title_text=_safe(metric))
    return _json(figure)


def _figure(*, legend: bool = True) -> Any:
    axis = {
        "gridcolor": LINE, "linecolor": LINE, "zeroline": False, "automargin": True,
        "ticks": "outside", "tickcolor": LINE,
        "title": {"standoff": 12, "font": {"size": 13, "color": SOFT}},
    }  # fmt: skip
    return go.Figure(
        layout={
            "template": "none",
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": "#ffffff",
            "plot_bgcolor": "#ffffff",
            "margin": {"l": 12, "r": 16, "t": 34, "b": 12},
            "showlegend": legend,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": INK}},
            "dragmode": False,
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def _json(figure: Any) -> str:
    # "<" would let a text end the script element that holds the JSON.
    return str(figure.to_json()).replace("<", "\\u003c")


def _safe(text: str) -> str:
    return html.escape(text, quote=False)


def _tick(name: str) -> str:
    """A long system name over two lines, so that it leaves the plot some room."""
    if len(name) <= _LONGEST_NAME:
        return _safe(name)
    cut = max(name.rfind("|", 0, _LONGEST_NAME), name.rfind("~", 0, _LONGEST_NAME) - 1)
    at = cut + 1 if cut > 0 else _LONGEST_NAME
    return f"{_safe(name[:at])}<br>{_tick(name[at:])}"


def _group(stratum: str, group: str, queries: int) -> str:
    lines = textwrap.wrap(group, _LONGEST_GROUP) or [group]
    return "<br>".join(
        [_safe(stratum), *(f"<b>{_safe(line)}</b>" for line in lines), f"n = {queries}"]
    )


def _sign(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def _gap(upper: float | None, lower: float | None) -> float | None:
    return None if upper is None or lower is None else upper - lower


def _nth(values: Sequence[str], at: int) -> str:
    return values[at % len(values)]
