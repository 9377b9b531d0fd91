"""What reliability tests of the recorder share: a sender that can be made to misbehave."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pylsl
import pytest

from bci.sources.clock import lsl_clock
from bci.sources.discovery import configure_lsl


class Sender:
    """Sends at its rate, four samples a push; channel 0 counts over all its lives."""

    def __init__(
        self,
        source_id: str,
        *,
        name: str = "",
        rate_hz: float = 500.0,
        n_channels: int = 2,
        dtype: str = "int32",
        kind: str = "EEG",
    ) -> None:
        configure_lsl()
        self.name = name or f"amp {source_id}"
        self.about: list[Any] = [self.name, kind, n_channels, rate_hz, dtype, source_id]
        self.sent: list[float] = []  # stamps; the count is their index
        self.returned_s = 0.0
        self._outlet: pylsl.StreamOutlet | None = None
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def appear(self, **changed: Any) -> None:
        """Make the outlet, perhaps another one, without sending."""
        for key, value in changed.items():
            self.about[["name", "kind", "n_channels", "rate_hz", "dtype"].index(key)] = value
        self._outlet = pylsl.StreamOutlet(pylsl.StreamInfo(*self.about))
        self.returned_s = lsl_clock()

    def push(self, n_samples: int) -> None:
        """Send so many now."""
        stamps = lsl_clock() - np.arange(n_samples - 1, -1, -1) / self.about[3]
        raw = np.zeros((n_samples, self.about[2]))
        raw[:, 0] = len(self.sent) + np.arange(n_samples)
        dtype = {"int32": np.int32, "float32": np.float32, "double64": np.float64}[self.about[4]]
        assert self._outlet is not None
        self._outlet.push_chunk(raw.astype(dtype), stamps.tolist())
        self.sent += stamps.tolist()

    def send(self) -> None:
        """Send from now on, in the background."""
        self._end.clear()
        self._thread = threading.Thread(target=self._run, name="sender")
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(4 / self.about[3]):
            self.push(4)

    def pause(self) -> None:
        """Stop to send; the outlet stays."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def vanish(self) -> None:
        """Stop to send, and take the outlet away."""
        self.pause()
        self._outlet = None


@pytest.fixture
def sender() -> Iterator[Callable[..., Sender]]:
    """Make senders that are gone after the test."""
    made: list[Sender] = []

    def make(source_id: str | None = None, **about: Any) -> Sender:
        made.append(Sender(uuid.uuid4().hex if source_id is None else source_id, **about))
        return made[-1]

    yield make
    for one in made:
        one.vanish()
