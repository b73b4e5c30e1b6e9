"""Resampled fringes to depth profiles: the Fourier transform of 16 A-lines at once.

2048 = 16 * 128 samples m = n + 128 j and bins b = p + 16 q are transformed in two steps (Cooley
and Tukey): sixteen-point transforms over j, a twiddle exp(2 pi i n p / 2048), 128-point transforms
over n. The latter are done alike, 128 = 16 * 8, within the first-level cache. The first step reads
counts and interpolates them on the way, the last stores the bins that are kept: neither fringes nor
the rest of the spectrum exist in memory.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numpy.typing import NDArray

from octflow.core.instrument import FIRST_BIN, N_DEPTH, N_SPECTRAL
from octflow.core.spectra.lanes import (
    COUNTS,
    FLOATS,
    LANES,
    Complex,
    Emit,
    Lanes,
    instructions,
    number,
)

_RADIX, _LAST_RADIX = 16, 8
_INNER = _RADIX * _LAST_RADIX
_PITCH = _INNER + 1
"""One more than needed: samples that are read together do not compete for a line of the cache."""
_FLOATS = 2 * LANES
"""Floats of one sample of 16 A-lines."""


class Recipe(NamedTuple):
    """What turns counts of one channel into fringes."""

    before: NDArray[np.int64]
    """(K,) sample before each wavenumber."""
    weight: NDArray[np.float32]
    """(K,) weight of the sample after it."""
    median: NDArray[np.float32]
    """(K,) subtracted after interpolation."""
    phasor: NDArray[np.complex64]
    """(K,) multiplied with."""


class Workspace(NamedTuple):
    """Memory of `fill_profiles`; one per thread."""

    outer: NDArray[np.float32]
    inner: NDArray[np.float32]
    spare: NDArray[np.complex64]


def workspace() -> Workspace:
    """Return memory for `fill_profiles`."""
    return Workspace(
        _aligned(_RADIX * _PITCH, 2, LANES),
        _aligned(_INNER, 2, LANES),
        np.empty((N_DEPTH, LANES), np.complex64),
    )


def _aligned(*shape: int) -> NDArray[np.float32]:
    """Return an array that starts with a line of the cache."""
    size = int(np.prod(shape))
    memory = np.empty(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size].reshape(shape)


def _twiddles(n_points: int, n_inner: int) -> NDArray[np.float32]:
    """Return cosine and sine of 2 pi n p / n_points, (n, p, 2)."""
    angle_rad = 2 * np.pi * np.outer(np.arange(n_inner), np.arange(_RADIX)) / n_points
    return np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=-1).astype(np.float32)


_OUTER_TWIDDLES = _twiddles(N_SPECTRAL, _INNER)
_INNER_TWIDDLES = _twiddles(_INNER, _LAST_RADIX)


@njit(nogil=True, cache=True, error_model="numpy")
def fill_profiles(
    samples: NDArray[np.uint16],
    recipe: Recipe,
    space: Workspace,
    profiles: NDArray[np.complex64],
) -> None:
    """Interpolate, subtract, multiply and transform; keep the bins 24 to 1023.

    Parameters
    ----------
    samples : (K, at least X) uint16 array
        Counts; A-lines up to a multiple of 16, whatever the last ones hold.
    recipe : Recipe
        Interpolation, median and phasor.
    space : Workspace
        As from `workspace`.
    profiles : (Z, X) complex64 array
        Filled with the sum over m of fringe[m] exp(2 pi i m bin / K). Any stride along Z; A-lines
        adjacent.
    """
    n_x = profiles.shape[1]
    for x in range(0, n_x, LANES):
        for n in range(_INNER):
            _outer_step(samples, x, recipe, n, _OUTER_TWIDDLES, space.outer)
        if x + LANES <= n_x:
            _finish(space, profiles, x)
            continue
        _finish(space, space.spare, 0)
        for z in range(N_DEPTH):
            for lane in range(n_x - x):
                profiles[z, x + lane] = space.spare[z, lane]


@njit(nogil=True, cache=True, error_model="numpy")
def _finish(space: Workspace, profiles: NDArray[np.complex64], x: int) -> None:
    """Do the 128-point transforms and store them."""
    for p in range(_RADIX):
        for n in range(_LAST_RADIX):
            _inner_step(space.outer, p * _PITCH, n, _INNER_TWIDDLES, space.inner)
        for q in range(_RADIX):
            _last_step(space.inner, q, profiles, x, p + _RADIX * q - FIRST_BIN)


@instructions
def _outer_step(
    _: object,
    samples: types.Type,
    x: types.Type,
    recipe: types.Type,
    n: types.Type,
    twiddles: types.Type,
    outer: types.Type,
) -> tuple[Signature, Emit]:
    """Transform the fringes n + 128 j over j."""

    def emit(
        context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: list[ir.Value]
    ) -> ir.Value:
        lanes, n = Lanes(builder), args[3]
        counts = _array(context, builder, sig.args[0], args[0])
        parts = [
            _array(context, builder, kind, builder.extract_value(args[2], i)).data
            for i, kind in enumerate(sig.args[2].types)
        ]
        factors, target = (_array(context, builder, sig.args[i], args[i]).data for i in (4, 5))
        values = [
            _fringe(lanes, counts, args[1], parts, lanes.index((n, 1), plus=_INNER * j))
            for j in range(_RADIX)
        ]
        for p, value in enumerate(_twiddled(lanes, values, factors, n)):
            lanes.store(value, target, lanes.index((n, _FLOATS), plus=p * _PITCH * _FLOATS))
        return context.get_dummy_value()

    return types.void(samples, types.intp, recipe, types.intp, twiddles, outer), emit


@instructions
def _inner_step(
    _: object,
    outer: types.Type,
    start: types.Type,
    n: types.Type,
    twiddles: types.Type,
    inner: types.Type,
) -> tuple[Signature, Emit]:
    """Transform the samples start + n + 8 j over j."""

    def emit(
        context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: list[ir.Value]
    ) -> ir.Value:
        lanes, start, n = Lanes(builder), args[1], args[2]
        source, factors, target = (
            _array(context, builder, sig.args[i], args[i]).data for i in (0, 3, 4)
        )
        values = [
            lanes.load(
                source,
                lanes.index((start, _FLOATS), (n, _FLOATS), plus=j * _LAST_RADIX * _FLOATS),
            )
            for j in range(_RADIX)
        ]
        for q, value in enumerate(_twiddled(lanes, values, factors, n)):
            lanes.store(value, target, lanes.index((n, _FLOATS), plus=q * _LAST_RADIX * _FLOATS))
        return context.get_dummy_value()

    return types.void(outer, types.intp, types.intp, twiddles, inner), emit


@instructions
def _last_step(
    _: object,
    inner: types.Type,
    q: types.Type,
    profiles: types.Type,
    x: types.Type,
    depth: types.Type,
) -> tuple[Signature, Emit]:
    """Transform eight samples and store every 256th bin of the lower half from `depth` on."""

    def emit(
        context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: list[ir.Value]
    ) -> ir.Value:
        lanes, q, x, depth = Lanes(builder), args[1], args[3], args[4]
        source = _array(context, builder, sig.args[0], args[0]).data
        values = [
            lanes.load(source, lanes.index((q, _LAST_RADIX * _FLOATS), plus=j * _FLOATS))
            for j in range(_LAST_RADIX)
        ]
        kept = lanes.transformed(values)[: _LAST_RADIX // 2]
        target = _array(context, builder, sig.args[2], args[2])

        def address(plus: int) -> ir.Value:
            along = builder.extract_value(target.strides, 0)
            offset = builder.mul(lanes.index((depth, 1), plus=plus), along)
            start = builder.bitcast(target.data, ir.IntType(8).as_pointer())
            return builder.gep(start, [lanes.index((offset, 1), (x, 8))])

        # The next p stores one bin later; without asking early, each store waits for memory.
        for k in range(len(kept)):
            lanes.announce(address(_INNER * 2 * k + 1))
        with builder.if_then(builder.icmp_signed(">=", depth, number(0))):
            lanes.interleaved(kept[0], address(0))
        for k in range(1, len(kept)):
            lanes.interleaved(kept[k], address(_INNER * 2 * k))
        return context.get_dummy_value()

    return types.void(inner, types.intp, profiles, types.intp, types.intp), emit


def _array(
    context: BaseContext, builder: ir.IRBuilder, kind: types.Type, value: ir.Value
) -> cgutils._StructProxy:
    return cgutils.create_struct_proxy(kind)(context, builder, value=value)


def _fringe(
    lanes: Lanes, counts: cgutils._StructProxy, x: ir.Value, recipe: list[ir.Value], m: ir.Value
) -> Complex:
    """Interpolate as the median was: rounded after every operation."""
    builder, (before, weight, median, phasor) = lanes.builder, recipe
    pitch = builder.extract_value(counts.shape, 1)

    def line(at: ir.Value) -> ir.Value:
        address = lanes.vector(counts.data, builder.add(builder.mul(at, pitch), x), COUNTS)
        return builder.uitofp(builder.load(address, align=2), FLOATS)

    first = builder.load(builder.gep(before, [m]))
    upper = lanes.spread(weight, m)
    lower = builder.fsub(lanes.constant(1), upper)
    second = builder.fmul(upper, line(lanes.index((first, 1), plus=1)))
    value = builder.fadd(builder.fmul(lower, line(first)), second)
    fringe = builder.fsub(value, lanes.spread(median, m))
    parts = builder.bitcast(phasor, ir.FloatType().as_pointer())
    real, imag = lanes.spread_complex(parts, lanes.index((m, 2)))
    return builder.fmul(fringe, real), builder.fmul(fringe, imag)


def _twiddled(lanes: Lanes, values: list[Complex], factors: ir.Value, n: ir.Value) -> list[Complex]:
    """Transform 16 samples; multiply the result p by the factor (n, p)."""
    first, *others = lanes.transformed(values)
    return [first] + [
        lanes.multiplied(
            value, lanes.spread_complex(factors, lanes.index((n, 2 * _RADIX), plus=2 * p))
        )
        for p, value in enumerate(others, 1)
    ]
