"""Kernels: one spelling, and no need of a folder to keep them in."""

import re
from pathlib import Path

import bci
from bci.compiled import kernel

SOURCES = sorted(Path(bci.__file__).parent.rglob("*.py"))


def test_every_kernel_is_made_by_the_one_decorator():
    """Nothing else compiles: options and cache are the same for all."""
    compiling = [
        p.name for p in SOURCES if re.search(r"\b(njit|vectorize|jit)\b", p.read_text("utf-8"))
    ]
    assert compiling == ["compiled.py"]


def test_every_file_with_kernels_is_compiled_ahead():
    """The warm-up reaches each file that defines one."""
    from bci.compiled import KERNELS
    from bci.decoders import warmup

    assert warmup
    defining = {p for p in SOURCES if re.search(r"^@kernel\b", p.read_text("utf-8"), re.MULTILINE)}
    reached = {Path(k.py_func.__code__.co_filename) for k in KERNELS}
    assert defining == reached


def test_a_kernel_divides_as_numpy_does_and_keeps_nan(monkeypatch):
    """Division by zero raises nothing; what LLVM may assume is told one by one."""
    monkeypatch.setattr("bci.compiled.KERNELS", [])  # these are not of the package

    @kernel
    def divide(a: float, b: float) -> float:
        return a / b

    @kernel(fastmath={"contract"})
    def add(a: float, b: float) -> float:
        return a + b

    assert divide(1.0, 0.0) == float("inf")
    assert add(1.0, float("nan")) != add(1.0, float("nan"))
