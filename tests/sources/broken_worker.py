"""A worker for `ChildProcess` that fails in every way; a spawned process imports it."""

import os
import signal


class BrokenWorker:
    """A worker that fails in each way."""

    closes = True

    def fail(self) -> None:
        """Raise."""
        raise KeyError("what")

    def die(self) -> None:
        """End the process."""
        os._exit(3)

    def resist(self) -> None:
        """Be one that TERM does not end, and that does not close."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.closes = False

    def close(self) -> str:
        """Say so."""
        while not self.closes:
            signal.pause()
        return "closed"
