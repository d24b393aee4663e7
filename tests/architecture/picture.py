"""Draws the packages and their imports from the code: packages as boxes in four layers, imports as arrows.

    python -m tests.architecture.picture docs/architecture.svg

Within a layer, an arc leads from each package to those that it imports. Between layers, imports lead down only.
"""

from __future__ import annotations

import sys
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

LAYERS = ("tui", "scenarios", "agents", "broker")
BOX_WIDTH, BOX_HEIGHT, GAP, ROW_GAP, MARGIN, LEFT = 128, 30, 18, 56, 20, 124
PER_ROW = 7
LAYER_GAP = 46


def imports_between(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Return the pairs of packages of which the first imports the second; a package stands for those inside it."""
    ours = [module for module in graph.modules if not graph.is_module_squashed(module)]
    packages = {module for module in ours if graph.find_children(module)}

    def home(module: str) -> str:
        package = module if module in packages else module.rpartition(".")[0]
        return ".".join(package.split(".")[:2])

    return {
        (home(module), home(imported))
        for module in ours
        for imported in graph.find_modules_directly_imported_by(module)
        if home(imported) in packages and home(imported) != home(module)
    }


def layer_of(package: str) -> str:
    """Return the layer of a package."""
    return package.partition(".")[0]


def draw(graph: grimp.ImportGraph) -> str:
    """Return the picture as SVG."""
    between = imports_between(graph)
    packages = sorted({package for pair in between for package in pair})
    width = LEFT + PER_ROW * (BOX_WIDTH + GAP) + MARGIN
    shapes: list[str] = []
    arcs: list[str] = []
    tops: dict[str, tuple[float, float]] = {}
    y = float(MARGIN)
    for layer in LAYERS:
        names = [package for package in packages if layer_of(package) == layer]
        inside = {pair for pair in between if layer_of(pair[0]) == layer_of(pair[1]) == layer}
        names.sort(key=lambda name: (name == layer, -sum(source == name for source, _ in inside), name))
        rows = [names[i : i + PER_ROW] for i in range(0, len(names), PER_ROW)]
        height = len(rows) * (BOX_HEIGHT + ROW_GAP) + GAP
        shapes += [
            f'<rect class="layer" x="{MARGIN}" y="{y}" width="{width - 2 * MARGIN}" height="{height}" rx="8"/>',
            f'<text class="name" x="{MARGIN + 12}" y="{y + height / 2}">{layer}/</text>',
        ]
        places = {
            name: (LEFT + column * (BOX_WIDTH + GAP), y + ROW_GAP - 6 + row * (BOX_HEIGHT + ROW_GAP))
            for row, in_row in enumerate(rows)
            for column, name in enumerate(in_row)
        }
        for name, (left, top) in places.items():
            shown = name.partition(".")[2] or "its own modules"
            middle = left + BOX_WIDTH / 2
            shapes += [
                f'<rect class="box" x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>',
                f'<text x="{middle}" y="{top + BOX_HEIGHT / 2 + 4}">{escape(shown)}</text>',
            ]
        arcs += [_arc(places[source], places[target]) for source, target in sorted(inside) if target != layer]
        tops[layer] = (y, y + height)
        y += height + LAYER_GAP
    for upper, lower in pairwise(LAYERS):
        from_y, to_y = tops[upper][1], tops[lower][0]
        arcs.append(f'<path class="down" d="M{width / 2},{from_y} V{to_y}"/>')
    return _SVG.format(width=width, height=y - LAYER_GAP + MARGIN, arcs="\n".join(arcs), shapes="\n".join(shapes))


def _arc(start: tuple[float, float], end: tuple[float, float]) -> str:
    (left, top), (to_left, to_top) = start, end
    x1, x2 = left + BOX_WIDTH / 2, to_left + BOX_WIDTH / 2
    if top == to_top:
        rise = min(ROW_GAP - 8, 14 + abs(x2 - x1) / 24)
        return f'<path class="same" d="M{x1},{top} C{x1},{top - rise} {x2},{top - rise} {x2},{top}"/>'
    from_y, to_y = (top + BOX_HEIGHT, to_top) if to_top > top else (top, to_top + BOX_HEIGHT)
    middle = (from_y + to_y) / 2
    return f'<path class="same" d="M{x1},{from_y} C{x1},{middle} {x2},{middle} {x2},{to_y}"/>'


_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<style>
.page {{ fill: #ffffff }}
.layer {{ fill: #f3f1ea; stroke: #d8d4c6 }}
.box {{ fill: #ffffff; stroke: #55606b }}
text {{ text-anchor: middle; fill: #20262c }}
.name {{ text-anchor: start; font-size: 14px; font-weight: bold }}
path {{ fill: none; marker-end: url(#tip) }}
.same {{ stroke: #2b6cb0; stroke-opacity: .5 }}
.down {{ stroke: #55606b; stroke-width: 2 }}
.tip {{ fill: #55606b; marker-end: none }}
</style>
<defs>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path class="tip" d="M0,0 L8,4 L0,8 z"/>
</marker>
</defs>
<rect class="page" width="{width}" height="{height}"/>
{shapes}
{arcs}
</svg>
"""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(grimp.build_graph(*LAYERS)), encoding="utf-8")
