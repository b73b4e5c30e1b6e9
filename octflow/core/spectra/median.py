"""The median over A-lines of interpolated counts, faster than by sorting."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NARROWER, _WIDER = np.float32(0.95), np.float32(1.5)
_LEAST_SPREAD = np.float32(1e-3)


@njit(nogil=True, cache=True)
def fill_medians(
    samples: NDArray[np.uint16],
    before: NDArray[np.int64],
    weight: NDArray[np.float32],
    n_x: int,
    medians: NDArray[np.float32],
) -> None:
    """Interpolate counts along the spectrum and take the median over A-lines.

    The mean over A-lines need not be subtracted before: interpolation is linear, so that the
    median that is subtracted after it contains the mean, whatever it is.

    Parameters
    ----------
    samples : (K, at least X) uint16 array
        Counts.
    before, weight : (K,) arrays
        The interpolation table.
    n_x : int
        A-lines X.
    medians : (K,) float32 array
        Filled.
    """
    values = np.empty(n_x, np.float32)
    floats = np.empty(4, np.float32)
    keys, bits = values.view(np.int32), floats.view(np.int32)
    spread = np.float32(1)
    for m in range(before.size):
        upper = weight[m]
        lower = np.float32(1) - upper
        first, second = samples[before[m]], samples[before[m] + 1]
        for x in range(n_x):
            values[x] = lower * np.float32(first[x]) + upper * np.float32(second[x])
        # The median is sought near the mean; how near was learnt from the samples before.
        mean = _mean(values)
        floats[2], floats[3] = max(mean - spread, np.float32(0)), mean + spread
        bits[0], bits[1], found = middle_keys(keys, bits[2], bits[3])
        spread = max(spread * (_NARROWER if found else _WIDER), _LEAST_SPREAD)
        medians[m] = np.float32(0.5) * (floats[0] + floats[1])


@njit(nogil=True, cache=True)
def middle_keys(
    keys: NDArray[np.int32], low: np.int32, high: np.int32
) -> tuple[np.int32, np.int32, bool]:
    """Find the two middle ones of an even number of keys; the middle one, twice, of an odd.

    Keys are the bits of floats that are not negative, which sort like the floats. Narrowing a
    range and counting beats sorting: counting is vectorised.

    Parameters
    ----------
    keys : (X,) int32 array
        At least one key.
    low, high : int32
        Where to look first; not more than a guess.

    Returns
    -------
    lower, upper : int32
        Their mean, as floats, is the median.
    guessed : bool
        Whether the guess contains it.

    Examples
    --------
    >>> keys = np.array([4, 1, 3, 9], np.int32)
    >>> lower, upper, guessed = middle_keys(keys, np.int32(5), np.int32(7))
    >>> int(lower), int(upper), guessed
    (3, 4, False)
    """
    half = keys.size // 2
    below_low, below_high = _counts_below(keys, low, high)
    guessed = below_low < half < below_high
    if not guessed:
        low, high = keys[0], keys[0]
        for x in range(keys.size):
            low, high = min(low, keys[x]), max(high, keys[x])
        high = np.int32(high + 1)
        below_low, below_high = np.int32(0), np.int32(keys.size)
    lower, upper = _narrowed(keys, low, high, below_low, below_high)
    return lower, upper, bool(guessed)


@njit(nogil=True, cache=True)
def _narrowed(
    keys: NDArray[np.int32],
    low: np.int32,
    high: np.int32,
    below_low: np.int32,
    below_high: np.int32,
) -> tuple[np.int32, np.int32]:
    """Narrow a range: less than half of the keys lie below its start, more below its end."""
    half, step = keys.size // 2, 0
    while high - low > 1:
        # Between the counts at both ends; every fourth time halve, so that bad guesses end soon.
        share = np.float32(0.5)
        if step % 4 != 3:
            share = np.float32(half - below_low) / np.float32(below_high - below_low)
        step += 1
        width = np.int32(high - low)
        guess = np.int32(share * np.float32(width))
        pivot = np.int32(low + min(max(guess, np.int32(1)), np.int32(width - 1)))
        below, largest, smallest = _split(keys, pivot)
        if below == half:
            return (smallest if keys.size % 2 else largest), smallest
        if below < half:
            low, below_low = smallest, below
        else:
            high, below_high = np.int32(largest + 1), below
    return low, low


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _mean(values: NDArray[np.float32]) -> np.float32:
    total = np.float32(0)
    for x in range(values.size):
        total += values[x]
    return total / np.float32(values.size)


@njit(nogil=True, cache=True)
def _counts_below(
    keys: NDArray[np.int32], low: np.int32, high: np.int32
) -> tuple[np.int32, np.int32]:
    """Count in 32 bits throughout: numba would widen the sum and halve its speed."""
    below_low, below_high = np.int32(0), np.int32(0)
    for x in range(keys.size):
        below_low = np.int32(below_low + np.int32(1 if keys[x] < low else 0))
        below_high = np.int32(below_high + np.int32(1 if keys[x] < high else 0))
    return below_low, below_high


@njit(nogil=True, cache=True)
def _split(keys: NDArray[np.int32], pivot: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """Count the keys below the pivot; return the largest of them and the smallest of the rest."""
    least, greatest = np.int32(-1), np.int32(0x7FFFFFFF)
    below, largest, smallest = np.int32(0), least, greatest
    for x in range(keys.size):
        key = keys[x]
        under = key < pivot
        below = np.int32(below + np.int32(1 if under else 0))
        largest = max(largest, key if under else least)
        smallest = min(smallest, greatest if under else key)
    return below, largest, smallest
