"""What is asked of a device: times, memory, what it is. A CPU answers too, so that everything is rehearsed on one."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch

from neurid_nuclr import attention, feed_forward, network, products
from nwb_neurid.training import schedule, views

COMPILE = torch.compile
LACK = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1.00 GiB. Of the allocated memory"


class Device:
    """A GPU, or the CPU in its place.

    Parameters
    ----------
    name
        "cuda" or "cpu"; "auto" for the GPU where there is one.
    """

    def __init__(self, name: str = "auto") -> None:
        self.name = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
        self.is_gpu = self.name == "cuda"
        self.torch = torch.device(self.name)

    def wait(self) -> None:
        """Wait until everything that was asked of it is done."""
        if self.is_gpu:
            torch.cuda.synchronize()

    def time_kernels(self, call: Callable[[], object], repeats: int, warm_up: int = 2) -> float:
        """Median time that a call keeps the device busy, in seconds; by its own clock where it is a GPU."""
        for _ in range(warm_up):
            call()
        return statistics.median(self._time_kernels(call) for _ in range(repeats))

    def _time_kernels(self, call: Callable[[], object]) -> float:
        if not self.is_gpu:
            return self._time_wall(call)
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        call()
        after.record()
        after.synchronize()
        return before.elapsed_time(after) / 1000

    def time_wall(self, call: Callable[[], object], repeats: int, warm_up: int = 1) -> float:
        """Median time from a call to its result, in seconds, with what the CPU does for it."""
        for _ in range(warm_up):
            call()
        return statistics.median(self._time_wall(call) for _ in range(repeats))

    def _time_wall(self, call: Callable[[], object]) -> float:
        self.wait()
        started = time.perf_counter()
        call()
        self.wait()
        return time.perf_counter() - started

    def measure_held(self) -> int:
        """Bytes of tensors on a GPU."""
        self.wait()
        return torch.cuda.memory_allocated() if self.is_gpu else 0

    def measure_reserved(self) -> int:
        """Bytes of a GPU that PyTorch keeps from other programs."""
        return torch.cuda.memory_reserved() if self.is_gpu else 0

    def measure_peak(self, call: Callable[[], object]) -> int:
        """The most bytes of a GPU that a call takes beside what was held before."""
        before = self.measure_held()
        if self.is_gpu:
            torch.cuda.reset_peak_memory_stats()
        call()
        self.wait()
        return torch.cuda.max_memory_allocated() - before if self.is_gpu else 0

    def describe(self) -> dict[str, object]:
        """What it is."""
        about: dict[str, object] = {"device": self.name, "torch": torch.__version__}
        if self.is_gpu:
            card = torch.cuda.get_device_properties(0)
            about |= {
                "name": card.name,
                "memory_gib": round(card.total_memory / 2**30, 1),
                "multiprocessors": card.multi_processor_count,
                "capability": f"{card.major}.{card.minor}",
                "cuda": torch.version.cuda,
                "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
            }
        return about

    @contextmanager
    def take_gpu_paths(self) -> Iterator[None]:
        """Let a CPU take the ways through the code that are a GPU's."""
        with ExitStack() as changes:
            if not self.is_gpu:
                for module in (products, attention, feed_forward, network):
                    changes.enter_context(mock.patch.object(module, "on_cpu", return_value=False))
                for rules in (views.PADDING, schedule.SHARE):
                    changes.enter_context(mock.patch.dict(rules, cpu=rules["cuda"]))
            yield

    @contextmanager
    def compile_quickly(self) -> Iterator[None]:
        """Let a CPU trace what is compiled and run it as it is: compiled to C++ it would take minutes."""
        torch.compiler.reset()  # what was compiled before counts against a limit
        with ExitStack() as changes:
            if not self.is_gpu:
                quick = lambda module, **options: COMPILE(module, backend="eager", **options)  # noqa: E731
                changes.enter_context(mock.patch.object(torch, "compile", quick))
            yield

    @contextmanager
    def run_out_of_memory(self, allowed: int) -> Iterator[None]:
        """Let NuCLR find no more memory than this, in bytes, beside what is taken."""
        if not self.is_gpu:
            lack = torch.OutOfMemoryError(LACK)
            with mock.patch.object(network.Network, "forward", side_effect=lack):
                yield
            return
        torch.cuda.empty_cache()
        _, capacity = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction((self.measure_reserved() + allowed) / capacity)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
