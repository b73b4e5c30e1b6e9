"""A stand-in for Fiji: understands the one macro that octflow writes, and does what it asks for.

Written from the documentation of Grid/Collection stitching and from files that it has written, not
from octflow: options, numbering of grids, names and form of files, tiles without a link at the
origin. Pairs are compared by plain correlation at whole pixels, positions follow a tree of pairs.
"""

import re
import sys
from collections import deque
from pathlib import Path

import numpy as np
import tifffile


def options_of(macro):
    """Read `key=value`, `key=[a value]` and bare words, as ImageJ does."""
    [text] = re.findall(r'run\("Grid/Collection stitching", "([^"]*)"\);', macro)
    found = re.findall(r"(\S+?)=(?:\[([^\]]*)\]|(\S+))|(\S+)", text)
    return {key or word: quoted or plain for key, quoted, plain, word in found}


def grid_layout(options):
    """Lay out snake by columns, up and right: odd columns from the bottom, even ones from above."""
    assert options["type"] == "Grid: snake by columns"
    assert options["order"] == "Up & Right"
    size_x, size_y = int(options["grid_size_x"]), int(options["grid_size_y"])
    folder, number = Path(options["directory"]), int(options["first_file_index_i"])
    layout = {}
    for column in range(size_x):
        upwards = column % 2 == 0
        for y in reversed(range(size_y)) if upwards else range(size_y):
            name = options["file_names"].replace("{iiii}", f"{number:04d}")
            n_y, n_x = tifffile.imread(folder / name).shape
            keep = 1 - float(options["tile_overlap"]) / 100
            layout[name] = (int(n_x * keep) * column, int(n_y * keep) * y)
            number += 1
    write(folder / options["output_textfile_name"], layout)
    return layout


def file_layout(options):
    """Read `name; ; (x, y)`."""
    assert options["order"] == "Defined by TileConfiguration"
    text = (Path(options["directory"]) / options["layout_file"]).read_text()
    assert "dim = 2" in text
    lines = re.findall(r"^(\S+); ; \((\S+), (\S+)\)$", text, re.MULTILINE)
    return {name: (float(x), float(y)) for name, x, y in lines}


def overlap(tile, x, y):
    """Return the part of a tile that overlaps with another one, which lies at (x, y) from it."""
    n_y, n_x = tile.shape
    return tile[max(0, y) : n_y + min(0, y), max(0, x) : n_x + min(0, x)]


def compare(first, second, step, reach=8):
    """Return the best whole shift (x, y) of two tiles near a step, and its correlation."""
    best = (-1.0, step)
    for y in range(round(step[1]) - reach, round(step[1]) + reach + 1):
        for x in range(round(step[0]) - reach, round(step[0]) + reach + 1):
            a, b = overlap(first, x, y), overlap(second, -x, -y)
            if a.size > 200:
                best = max(best, (float(np.corrcoef(a.ravel(), b.ravel())[0, 1]), (x, y)))
    return best


def solve(folder, layout, threshold):
    """Follow the pairs that correlate from the first tile on; the others stay at the origin."""
    tiles = {name: tifffile.imread(folder / name) for name in layout}
    n_y, n_x = next(iter(tiles.values())).shape
    pairs = {name: [] for name in layout}
    names = list(layout)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            step = np.subtract(layout[b], layout[a])
            # Neighbours share an edge: corners are too small to be compared.
            if abs(step[0]) < 0.9 * n_x and abs(step[1]) < 0.9 * n_y and min(abs(step)) < 0.4 * n_x:
                r, shift = compare(tiles[a], tiles[b], step)
                if r >= threshold:
                    pairs[a].append((b, np.array(shift)))
                    pairs[b].append((a, -np.array(shift)))
    found = {names[0]: np.zeros(2)}
    queue = deque(found)
    while queue:
        name = queue.popleft()
        for other, shift in pairs[name]:
            if other not in found:
                found[other] = found[name] + shift
                queue.append(other)
    return {name: tuple(found.get(name, (0.0, 0.0))) for name in names}


def write(path, positions):
    """Write as Java prints."""
    head = "# Define the number of dimensions we are working on\ndim = 2\n\n"
    lines = [f"{name}; ; ({float(x)}, {float(y)})\n" for name, (x, y) in positions.items()]
    path.write_text(head + "# Define the image coordinates\n" + "".join(lines))


def main(arguments):
    *flags, macro = arguments
    assert flags == ["--headless", "--console", "-macro"], flags
    options = options_of(Path(macro).read_text())
    assert options["max/avg_displacement_threshold"] == "2.50"
    assert options["absolute_displacement_threshold"] == "3.50"
    assert "compute_overlap" in options
    sys.stdout.write("Stitching internal version: stand-in\n")
    folder = Path(options["directory"])
    layout = (file_layout if options["type"] == "Positions from file" else grid_layout)(options)
    found = solve(folder, layout, float(options["regression_threshold"]))
    write(folder / "TileConfiguration.registered.txt", found)


if __name__ == "__main__":
    main(sys.argv[1:])
