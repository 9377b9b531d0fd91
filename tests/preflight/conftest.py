"""Real LSL streams that behave, or misbehave, as they are told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pylsl
import pytest

from bci.sources.clock import lsl_clock
from bci.sources.lsl_config import configure_lsl


@contextmanager
def send(
    source_id: str,
    *,
    name: str = "an amplifier",
    kind: str = "EEG",
    nominal_hz: float = 100.0,
    sent_hz: float | None = None,
    n_channels: int = 2,
    unit: str = "microvolts",
    labels: tuple[str, ...] = (),
    dtype: str = "float32",
    stamp: Callable[[int, float], float] = lambda number, now: now,
    samples: Callable[[np.ndarray], None] = lambda _: None,
    after_s: float = 0.0,
) -> Iterator[None]:
    """Send noise of 10 units while the context lasts; `samples` edits each chunk in place.

    `stamp` gives a sample's stamp from its number and the LSL time at which it was due.
    """
    configure_lsl()
    declared = pylsl.StreamInfo(name, kind, n_channels, nominal_hz, dtype, source_id)
    channels = declared.desc().append_child("channels")
    for number in range(n_channels):
        node = channels.append_child("channel")
        node.append_child_value("label", labels[number] if labels else f"X{number + 1}")
        node.append_child_value("type", kind)
        if unit:
            node.append_child_value("unit", unit)
    stop, there = threading.Event(), threading.Event()

    def run() -> None:
        if stop.wait(after_s):
            return
        outlet = pylsl.StreamOutlet(declared)
        there.set()
        rng = np.random.default_rng(1)
        began, number = lsl_clock(), 0
        rate = nominal_hz if sent_hz is None else sent_hz
        while not stop.wait(0.01):
            due = int((lsl_clock() - began) * rate) if dtype != "string" else 0
            while number < due:
                values = 10 * rng.standard_normal(n_channels)
                samples(values)
                wire = values.round().astype(int) if dtype.startswith("int") else values
                outlet.push_sample(wire.tolist(), stamp(number, began + number / rate))
                number += 1
        del outlet

    thread = threading.Thread(target=run, name=f"sender {source_id}")
    thread.start()
    try:
        if not after_s:
            assert there.wait(10.0)
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def sending() -> Iterator[Callable[..., None]]:
    """``sending(source_id, ...)``: a stream for as long as the test lasts."""
    with ExitStack() as stack:
        yield lambda source_id, **options: stack.enter_context(send(source_id, **options))


@pytest.fixture(scope="module")
def sending_all() -> Iterator[Callable[..., None]]:
    """``sending_all(source_id, ...)``: a stream for as long as the module's tests last."""
    with ExitStack() as stack:
        yield lambda source_id, **options: stack.enter_context(send(source_id, **options))
