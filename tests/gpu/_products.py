"""The matrix products of a computation, and how long they take alone: what the device could reach at best."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from _device import Device
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
FACTORS = {ATEN.mm.default: 0, ATEN.bmm.default: 0, ATEN.addmm.default: 1, ATEN.baddbmm.default: 1}
"""Operations that multiply matrices, and which argument is the first factor."""

BUFFERS, ROUNDS = 3, 4
"""Factors that take turns, lest they stay in a cache, and how often: one call alone would be timed with its start."""


@dataclass(frozen=True)
class Product:
    """A product of matrices: the shapes of its factors, which of them are transposed, and their type."""

    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    transposed: tuple[bool, bool]
    dtype: torch.dtype

    @classmethod
    def of(cls, left: Tensor, right: Tensor) -> "Product":
        """That of two factors."""
        transposed = tuple(factor.stride(-1) != 1 and factor.shape[-1] > 1 for factor in (left, right))
        return cls((tuple(left.shape), tuple(right.shape)), transposed, left.dtype)

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        *left, _ = self.shapes[0]
        return 2 * self.shapes[0][-1] * self.shapes[1][-1] * torch.Size(left).numel()

    def draw(self, device: torch.device) -> list[Tensor]:
        """Random factors laid out like those of the product."""
        return [
            torch.randn(shape[:-2] + shape[:-3:-1], dtype=self.dtype, device=device).transpose(-1, -2)
            if transposed
            else torch.randn(shape, dtype=self.dtype, device=device)
            for shape, transposed in zip(self.shapes, self.transposed, strict=True)
        ]


class Recorder(TorchDispatchMode):
    """Counts the matrix products of what is computed within it; those of attention are not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.products: Counter[Product] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        first = FACTORS.get(func)
        if first is None:
            with self:  # a linear layer is one operation without gradients, and a product with them
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        else:
            self.products[Product.of(*args[first : first + 2])] += 1
        return func(*args, **kwargs)


def record_products(call: Callable[[], object]) -> Counter[Product]:
    """The matrix products of a call."""
    with Recorder() as recorder:
        call()
    return recorder.products


def count_operations(products: Counter[Product]) -> int:
    """Operations of all of them."""
    return sum(product.operations * number for product, number in products.items())


def time_products(device: Device, products: Counter[Product], repeats: int = 3) -> float:
    """How long the products take alone, in seconds."""
    total = 0.0
    rounds = ROUNDS if device.is_gpu else 1  # the rehearsal's times mean nothing
    for product, number in products.items():
        if product.operations == 0:
            continue
        factors = [product.draw(device.torch) for _ in range(BUFFERS)]
        multiply = torch.mm if len(product.shapes[0]) == 2 else torch.bmm

        def call(factors=factors, multiply=multiply) -> None:
            for pair in factors * rounds:
                multiply(*pair)

        total += number * device.time_kernels(call, repeats if device.is_gpu else 1, warm_up=1) / (BUFFERS * rounds)
    return total
