import numpy as np

from octflow.stages.stitch.grid_maps import link_map
from octflow.stages.stitch.links import Link

GRID = {1: (0, 0), 2: (0, 1), 3: (1, 0), 4: (1, 1)}


def link(first, second, along):
    return Link(first, second, along, (0, 0), 9, 0.5, (1, 1, 0), "trusted")


def test_links_are_drawn_between_their_tiles():
    picture = link_map(GRID, [link(1, 3, "x"), link(3, 4, "y")], [5, 7])
    assert picture.shape == (3, 3)
    assert picture[0, 1] == 5
    assert picture[1, 2] == 7
    assert np.isfinite(picture).sum() == 2


def test_of_links_between_the_same_tiles_the_largest_number_is_drawn():
    twice = [link(1, 3, "x"), link(1, 3, "x"), link(1, 3, "x")]
    assert link_map(GRID, twice, [5, 9, 7])[0, 1] == 9
