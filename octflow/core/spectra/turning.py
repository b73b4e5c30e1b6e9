"""Camera counts from A-line by A-line to sample by sample."""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numpy.typing import NDArray

from octflow.core.spectra.lanes import COUNTS, LANES, Emit, Lanes, instructions, mask, number

_STEP = 2 * LANES
"""Samples turned at once: one line of the cache."""


def turned_samples(n_spectral: int, n_x: int) -> NDArray[np.uint16]:
    """Return memory for `turn`: A-lines up to a multiple of 16."""
    pitch = n_x + -n_x % LANES
    memory = np.empty(n_spectral * pitch + _STEP, np.uint16)
    start = -memory.ctypes.data % 64 // 2
    return memory[start : start + n_spectral * pitch].reshape(n_spectral, pitch)


@njit(nogil=True, cache=True)
def turn(lines: NDArray[np.uint16], samples: NDArray[np.uint16]) -> None:
    """Copy (X, K) to (K, X), X filled up with the last A-line to a multiple of 16.

    Parameters
    ----------
    lines : (X, K) uint16 array
        Contiguous; K a multiple of 32.
    samples : (K, X + -X % 16) uint16 array
        Filled; as from `turned_samples`.
    """
    for x in range(0, lines.shape[0], LANES):
        for k in range(0, lines.shape[1], _STEP):
            _turn_block(lines, x, k, samples)


@instructions
def _turn_block(
    _: object, lines: types.Type, x: types.Type, k: types.Type, samples: types.Type
) -> tuple[Signature, Emit]:
    """Turn 16 A-lines of 32 samples."""

    def emit(
        context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: list[ir.Value]
    ) -> ir.Value:
        code, (_, x, k, _) = Lanes(builder), args
        source, target = (
            cgutils.create_struct_proxy(sig.args[i])(context, builder, value=args[i])
            for i in (0, 3)
        )
        n_x, n_k = (builder.extract_value(source.shape, i) for i in (0, 1))
        pitch, last = builder.extract_value(target.shape, 1), builder.sub(n_x, number(1))
        halves: tuple[list[ir.Value], list[ir.Value]] = ([], [])
        for i in range(LANES):
            line = code.index((x, 1), plus=i)
            line = builder.select(builder.icmp_signed("<", line, last), line, last)
            for half, loaded in enumerate(halves):
                at = code.index((builder.mul(line, n_k), 1), (k, 1), plus=half * LANES)
                loaded.append(builder.load(code.vector(source.data, at, COUNTS), align=2))
        turned = [vector for half in halves for vector in _transposed(builder, half)]
        for j, vector in enumerate(turned):
            at = code.index((builder.mul(code.index((k, 1), plus=j), pitch), 1), (x, 1))
            builder.store(vector, code.vector(target.data, at, COUNTS), align=2)
        return context.get_dummy_value()

    return types.void(lines, types.intp, types.intp, samples), emit


def _transposed(builder: ir.IRBuilder, vectors: list[ir.Value]) -> list[ir.Value]:
    """Transpose a square by swapping off-diagonal quarters, halves of it, ... (Eklundh)."""
    vectors, size = list(vectors), LANES // 2
    while size:
        low = mask([i + (LANES - size if i & size else 0) for i in range(LANES)])
        high = mask([i + (LANES if i & size else size) for i in range(LANES)])
        for i in (i for i in range(LANES) if not i & size):
            pair = vectors[i], vectors[i + size]
            vectors[i] = builder.shuffle_vector(*pair, low)
            vectors[i + size] = builder.shuffle_vector(*pair, high)
        size //= 2
    return vectors
