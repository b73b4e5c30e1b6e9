from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.stages.register.together import Shared

BLOCKS = [(slice(i, i + 1), slice(0, 2), slice(0, 3)) for i in range(8)]


def test_those_that_ask_side_by_side_share_one_computation():
    asked, begin = [], Barrier(3)

    def fields_of(z, y, x):
        asked.append(z.start)
        sleep(0.02)
        return np.full((2, 3), z.start)

    shared = Shared(fields_of, kept=2)

    def writer(_):
        begin.wait()
        return [shared(*block).sum() for block in BLOCKS]

    with ThreadPoolExecutor(3) as pool:
        sums = list(pool.map(writer, range(3)))
    assert sums == [[6 * i for i in range(8)]] * 3
    assert sorted(set(asked)) == list(range(8))
    assert len(asked) < 12


def test_what_was_forgotten_is_computed_again_and_what_is_kept_is_not():
    asked = []
    shared = Shared(lambda z, y, x: asked.append(z.start) or np.zeros(1), kept=2)
    for i in (0, 1, 1, 0, 2, 3, 0):
        shared(*BLOCKS[i])
    assert asked == [0, 1, 2, 3, 0]


def test_all_hear_of_an_error():

    def fields_of(z, y, x):
        raise DataError("a volume", found="nothing", expected="a chunk")

    shared = Shared(fields_of, kept=1)
    for _ in range(2):
        with pytest.raises(DataError, match="found nothing"):
            shared(*BLOCKS[0])
