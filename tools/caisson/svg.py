"""Small plots as SVG text for a page that needs nothing else: bars with a logarithmic scale, and curves."""
import math
from html import escape

COLOURS = ("#3182ce", "#dd6b20", "#38a169", "#9f7aea", "#b7791f", "#e53e3e", "#718096", "#319795")  # to be seen on white and on black
_LABEL = 70   # width of a bar's label
_BAR = 14     # its height
_TEXT = 'font-size="11" font-family="sans-serif" fill="currentColor"'


def bars(values: list[tuple[str, float]], width: int = 420, least: float = 1.0, most: float = 1_000_000.0,
         labels: tuple[str, ...] = ()) -> str:
    """One bar for each (label, value), logarithmic from least to most. labels: all there may be, so that each has its colour."""
    room = width - _LABEL - 70
    parts = []
    for i, (label, value) in enumerate(values):
        colour = COLOURS[(labels.index(label) if labels else i) % len(COLOURS)]
        y = i * (_BAR + 2)
        share = math.log(max(value, least) / least) / math.log(most / least)
        length = max(1.0, min(1.0, share) * room)
        parts.append(f'<text x="{_LABEL - 4}" y="{y + 11}" text-anchor="end" {_TEXT}>{escape(label)}</text>'
                     f'<rect x="{_LABEL}" y="{y + 1}" width="{length:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
                     f'<text x="{_LABEL + length + 4:.1f}" y="{y + 11}" {_TEXT}>{number(value)}</text>')
    return _svg(width, max(1, len(values)) * (_BAR + 2), parts)


def share(part: float, width: int = 240) -> str:
    """A bar of that part of the width."""
    return _svg(width, _BAR, [f'<rect x="0" y="1" width="{max(1.0, part * width):.1f}" height="{_BAR - 2}" fill="{COLOURS[0]}"/>'])


def curves(series: dict[str, list[tuple[float, float]]], title: str, across: str, log_across: bool = False,
           width: int = 560, height: int = 240) -> str:
    """Lines through points, from 0 upwards; a legend beside them."""
    left, top, right, bottom = 70, 24, 130, 40
    points = [point for line in series.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    step = _step(max(y for _, y in points))
    ceiling = step * max(1, math.ceil(max(y for _, y in points) / step))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (_log(x) - _log(low)) / (_log(high) - _log(low) or 1) if log_across else (x - low) / (high - low or 1)
        return left + share * (width - left - right), height - bottom - y / ceiling * (height - top - bottom)

    parts = [f'<text x="{left}" y="14" {_TEXT} font-weight="bold">{escape(title)}</text>',
             f'<text x="{(left + width - right) / 2}" y="{height - 4}" text-anchor="middle" {_TEXT}>{escape(across)}</text>']
    for i in range(round(ceiling / step) + 1):
        value = step * i
        y = place(low, value)[1]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}" stroke="#8884"/>'
                     f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{number(value)}</text>')
    for x in _ticks(sorted({x for x, _ in points})):
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{height - bottom + 15}" text-anchor="middle" {_TEXT}>{x:g}</text>')
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<rect x="{width - right + 8}" y="{top + 16 * i}" width="10" height="10" fill="{colour}"/>'
                     f'<text x="{width - right + 22}" y="{top + 16 * i + 9}" {_TEXT}>{escape(name)}</text>')
    return _svg(width, height, parts, f"{title}, by {across}")


def number(value: float) -> str:
    """As short as it may be."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _step(most: float) -> float:
    """1, 2 or 5 times a power of ten, so that four or five of them reach most."""
    rough = max(most, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough)


def _log(x: float) -> float:
    return math.log2(max(x, 1e-9))


def _ticks(values: list[float]) -> list[float]:
    """Ten at most."""
    return values[::math.ceil(len(values) / 10)]


def _svg(width: int, height: int, parts: list[str], name: str = "") -> str:
    """One without a name only repeats what is written beside it."""
    role = f'role="img" aria-label="{escape(name)}"' if name else 'aria-hidden="true"'
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" {role}>' + "".join(parts) + "</svg>"
