"""``bci`` with faults on command: what no amplifier, disk or model does when a test asks for it.

While ``decoder`` is in the folder that ``ROLANDIC_TEST_FAULTS`` names, scoring a window raises;
while ``disk`` is, the recorder's writes report that the device is full. The recorder is a spawned
process, which runs the top of this file too. Without that name (a test runner that looks for
doctests imports this file) nothing is changed.
"""

import errno
import os
from io import FileIO
from pathlib import Path
from typing import Any

from bci.recording import naming

_NAMED = "ROLANDIC_TEST_FAULTS"
FAULTS = Path(os.environ.get(_NAMED, "no faults"))


class FullDisk(FileIO):
    """A file on a disk that is full while it is said to be."""

    def write(self, data: Any) -> int:
        """Write, or report that the device is full."""
        if (FAULTS / "disk").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


if _NAMED in os.environ:
    naming.FileIO = FullDisk


def main() -> None:
    """Let the decoder raise on command, and be ``bci``."""
    from bci.cli import main as bci
    from bci.online.scorer import WindowScorer

    healthy = WindowScorer.probabilities

    def probabilities(self: WindowScorer, *arguments: Any) -> Any:
        if (FAULTS / "decoder").exists():
            raise RuntimeError("the decoder was told to fail")
        return healthy(self, *arguments)

    WindowScorer.probabilities = probabilities
    bci()


if __name__ == "__main__":
    main()
