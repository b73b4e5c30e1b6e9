"""Sixteen A-lines side by side in one vector, as instructions of LLVM.

Numba does not vectorise loops whose arrays might overlap; here loads, arithmetic and stores are
written as vectors. LLVM lowers them to what the processor has. Products and sums are fused where
it is written so, and nowhere else: every machine gives the same bits.
"""

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

LANES = 16
"""A-lines in a vector: 512 bits of float32."""
FLOATS = ir.VectorType(ir.FloatType(), LANES)
COUNTS = ir.VectorType(ir.IntType(16), LANES)

_INDEX, _MASK = ir.IntType(64), ir.IntType(32)
_BYTE = ir.IntType(8)
Emit = Callable[[BaseContext, ir.IRBuilder, Signature, list[ir.Value]], ir.Value]
"""Appends instructions, given the types and the values of the arguments."""
instructions: Callable[..., Any] = intrinsic
"""Decorator of a function that writes instructions; called with values in compiled code."""
Complex = tuple[ir.Value, ir.Value]
"""Real and imaginary parts of one sample of every A-line."""


def number(value: int) -> ir.Constant:
    """Return an index."""
    return ir.Constant(_INDEX, value)


def mask(lanes: list[int]) -> ir.Constant:
    """Return which lanes of two vectors are picked."""
    return ir.Constant(ir.VectorType(_MASK, len(lanes)), lanes)


class Lanes:
    """Writes the instructions of a function that Numba compiles.

    Parameters
    ----------
    builder : IRBuilder
        Where instructions are appended.
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder
        fused = ir.FunctionType(FLOATS, [FLOATS] * 3)
        self._fma = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{LANES}f32")

    def index(self, *terms: tuple[ir.Value, int], plus: int = 0) -> ir.Value:
        """Return a sum of products of values and numbers."""
        total = number(plus)
        for value, factor in terms:
            total = self.builder.add(total, self.builder.mul(value, number(factor)))
        return total

    def vector(self, base: ir.Value, at: ir.Value, kind: ir.Type = FLOATS) -> ir.Value:
        """Return the address of the vector whose first element is element `at`."""
        return self.builder.bitcast(self.builder.gep(base, [at]), kind.as_pointer())

    def load(self, base: ir.Value, at: ir.Value) -> Complex:
        """Load a sample: 16 real parts, then 16 imaginary parts."""
        real, imag = (self.vector(base, self.index((at, 1), plus=i)) for i in (0, LANES))
        return self.builder.load(real, align=64), self.builder.load(imag, align=64)

    def store(self, value: Complex, base: ir.Value, at: ir.Value) -> None:
        """Store a sample as `load` reads it."""
        for part, plus in zip(value, (0, LANES), strict=True):
            self.builder.store(part, self.vector(base, self.index((at, 1), plus=plus)), align=64)

    def spread(self, base: ir.Value, at: ir.Value) -> ir.Value:
        """Load one float into all lanes."""
        scalar = self.builder.load(self.builder.gep(base, [at]))
        undefined = ir.Constant(FLOATS, ir.Undefined)
        single = self.builder.insert_element(undefined, scalar, ir.Constant(_MASK, 0))
        return self.builder.shuffle_vector(single, undefined, mask([0] * LANES))

    def spread_complex(self, base: ir.Value, at: ir.Value) -> Complex:
        """Load a pair of floats into all lanes of two vectors."""
        return self.spread(base, at), self.spread(base, self.index((at, 1), plus=1))

    def constant(self, value: float) -> ir.Constant:
        """Return a number in all lanes."""
        return ir.Constant(FLOATS, [value] * LANES)

    def fused(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a b + c, rounded once."""
        return self.builder.call(self._fma, [a, b, c])

    def multiplied(self, value: Complex, factor: Complex) -> Complex:
        """Return the complex product."""
        builder, (real, imag), (cosine, sine) = self.builder, value, factor
        return (
            self.fused(real, cosine, builder.fneg(builder.fmul(imag, sine))),
            self.fused(real, sine, builder.fmul(imag, cosine)),
        )

    def transformed(self, values: list[Complex]) -> list[Complex]:
        """Return sum over j of values[j] exp(2 pi i j k / n) for every k; n a power of two.

        Cooley and Tukey, decimated in time. What is not used afterwards, LLVM leaves out.
        """
        n = len(values)
        if n == 1:
            return values
        even, odd = self.transformed(values[0::2]), self.transformed(values[1::2])
        pairs = [self._pair(e, o, k / n) for k, (e, o) in enumerate(zip(even, odd, strict=True))]
        return [first for first, _ in pairs] + [second for _, second in pairs]

    def _pair(self, even: Complex, odd: Complex, turn: float) -> tuple[Complex, Complex]:
        """Return even + w odd and even - w odd with w = exp(2 pi i turn).

        The cosine is taken out of w (Linzer and Feig), which leaves six fused operations.
        """
        builder, (real, imag), (x, y) = self.builder, even, odd
        if turn in {0, 0.25}:
            x, y = (builder.fneg(y), x) if turn else (x, y)
            return (
                (builder.fadd(real, x), builder.fadd(imag, y)),
                (builder.fsub(real, x), builder.fsub(imag, y)),
            )
        angle_rad = 2 * math.pi * turn
        cosine, tangent = math.cos(angle_rad), math.tan(angle_rad)
        x, y = (
            self.fused(self.constant(-tangent), y, x),
            self.fused(self.constant(tangent), x, y),
        )
        plus, minus = self.constant(cosine), self.constant(-cosine)
        return (
            (self.fused(plus, x, real), self.fused(plus, y, imag)),
            (self.fused(minus, x, real), self.fused(minus, y, imag)),
        )

    def interleaved(self, value: Complex, address: ir.Value) -> None:
        """Store a sample as 16 complex numbers at an address in bytes."""
        pairs = [lane + part for lane in range(LANES) for part in (0, LANES)]
        wide = ir.VectorType(ir.FloatType(), 2 * LANES)
        both = self.builder.shuffle_vector(*value, mask(pairs))
        self.builder.store(both, self.builder.bitcast(address, wide.as_pointer()), align=4)

    def announce(self, address: ir.Value) -> None:
        """Ask for the cache lines that 16 complex numbers will be stored to."""
        word, n_bytes = ir.IntType(32), 8 * LANES
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), word, word, word])
        prefetch = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        # To be written, to stay in all caches, data.
        how = [ir.Constant(word, flag) for flag in (1, 3, 1)]
        for plus in (0, n_bytes // 2, n_bytes - 4):
            self.builder.call(prefetch, [self.builder.gep(address, [number(plus)]), *how])
