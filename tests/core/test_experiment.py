import pytest
from pydantic import ValidationError

from octflow.core.errors import SettingsError
from octflow.core.experiment import Experiment, GridOverride, Illumination

TABLE = Experiment(
    grid_size_y=3,
    illuminations=(
        Illumination(
            name="normal",
            grid_size_x=2,
            overrides=(GridOverride(first_slice=2, last_slice=3, grid_size_x=4),),
        ),
        Illumination(name="tilted", grid_size_x=3, tilt_deg=-15),
        Illumination(name="tiltPos", grid_size_x=3, tilt_deg=15),
    ),
)


def test_mosaics_run_through_the_whole_experiment():
    assert [TABLE.slice_of(m) for m in range(1, 8)] == [1, 1, 1, 2, 2, 2, 3]
    assert TABLE.mosaics_of(2) == [4, 5, 6]
    assert TABLE.mosaic_of(2, "tiltPos") == 6


def test_a_batch_is_a_grid_column():
    assert [TABLE.tiles_of(1, batch) for batch in (1, 2)] == [[1, 2, 3], [4, 5, 6]]


def test_the_grid_may_change_between_slices():
    assert TABLE.illumination_of(1).grid_size_x == 2
    assert TABLE.illumination_of(4).grid_size_x == 4
    assert TABLE.batches_of(4) == [1, 2, 3, 4]


def test_places_are_the_same_in_slices_with_other_columns():
    moved = GridOverride(first_slice=2, last_slice=2, grid_size_x=1, first_column=1)
    row = Illumination(name="normal", grid_size_x=2, overrides=(moved,))
    table = Experiment(grid_size_y=2, illuminations=(row,))
    assert table.grid_of(1) == {1: (0, 1), 2: (0, 0), 3: (1, 0), 4: (1, 1)}
    assert table.grid_of(2) == {1: (1, 1), 2: (1, 0)}


def test_places_are_the_same_in_slices_with_other_rows():
    fewer = GridOverride(
        first_slice=2, last_slice=2, grid_size_x=1, first_column=1, grid_size_y=2, first_row=1
    )
    more = GridOverride(first_slice=3, last_slice=9, grid_size_x=2, grid_size_y=4)
    row = Illumination(name="normal", grid_size_x=2, overrides=(fewer, more))
    table = Experiment(grid_size_y=3, illuminations=(row,))
    assert table.grid_of(2) == {1: (1, 2), 2: (1, 1)}
    assert table.tiles_of(2, 1) == [1, 2]
    assert table.grid_of(3)[1] == (0, 3)
    assert table.tiles_of(3, 2) == [5, 6, 7, 8]


def test_an_illumination_may_have_other_rows_in_all_slices():
    rows = (Illumination(name="a", grid_size_x=1), Illumination(name="b", grid_size_x=1))
    rows = (rows[0], rows[1].model_copy(update={"grid_size_y": 2, "first_row": 1}))
    table = Experiment(grid_size_y=3, illuminations=rows)
    assert [len(table.grid_of(mosaic)) for mosaic in (1, 2, 3, 4)] == [3, 2, 3, 2]
    assert sorted(table.grid_of(2).values()) == [(0, 1), (0, 2)]


def test_snake_by_columns_is_the_published_order():
    grid = Experiment(
        grid_size_y=28, illuminations=(Illumination(name="n", grid_size_x=5),)
    ).grid_of(1)
    top = [t for t, (x, y) in sorted(grid.items(), key=lambda item: item[1]) if y == 0]
    assert top == [28, 29, 84, 85, 140]


@pytest.mark.parametrize("grid_type", ["snake-by-rows", "column-by-column", "row-by-row"])
@pytest.mark.parametrize("start", ["up-right", "up-left", "down-right", "down-left"])
def test_every_order_visits_every_place_once_and_starts_in_its_corner(grid_type, start):
    grid = TABLE.model_copy(update={"grid_type": grid_type, "grid_start": start}).grid_of(2)
    assert sorted(grid.values()) == [(x, y) for x in range(3) for y in range(3)]
    assert grid[1] == (2 if "left" in start else 0, 2 if "up" in start else 0)


def test_two_illuminations_of_one_name_are_refused():
    row = Illumination(name="normal", grid_size_x=1)
    with pytest.raises((SettingsError, ValidationError), match="distinct names"):
        Experiment(illuminations=(row, row))


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="tilt"):
        Illumination(name="normal", grid_size_x=1, tilt=3)
