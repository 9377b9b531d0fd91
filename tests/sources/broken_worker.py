"""A worker for `ChildProcess` that fails in every way; a spawned process imports it."""

import os


class BrokenWorker:
    """A worker that fails in each way."""

    def fail(self) -> None:
        """Raise."""
        raise KeyError("what")

    def die(self) -> None:
        """End the process."""
        os._exit(3)

    def close(self) -> str:
        """Say so."""
        return "closed"
