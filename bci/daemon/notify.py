"""What systemd is told (``sd_notify``): ready, alive, stopping.

Where nothing asks (no ``NOTIFY_SOCKET``: another system, a terminal) nothing is sent.
"""

import logging
import os
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]

_log = logging.getLogger(__name__)


class Notifier:
    """Sends datagrams to the service manager that started this process.

    Parameters
    ----------
    environment : mapping, optional
        Holds ``NOTIFY_SOCKET``, a path or, with a leading ``@``, an abstract name; and
        ``WATCHDOG_USEC`` with ``WATCHDOG_PID``. Default: this process's.

    Attributes
    ----------
    watchdog_s : float or None
        Within this time of the last `alive` the manager expects another; None: it does not.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._socket: socket.socket | None = None
        self.watchdog_s: float | None = None
        address = environment.get("NOTIFY_SOCKET", "")
        if not address or not hasattr(socket, "AF_UNIX"):
            return
        if address[0] not in "/@":
            _log.warning("NOTIFY_SOCKET %r is neither a path nor an abstract name", address)
            return
        self._address = "\0" + address[1:] if address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A manager that does not read must never keep the daemon from its work.
        self._socket.setblocking(False)
        if environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            try:
                usec = int(environment.get("WATCHDOG_USEC", "0"))
            except ValueError:
                usec = 0
            self.watchdog_s = usec / 1e6 if usec > 0 else None

    def ready(self, status: str) -> None:
        """Say that the daemon does its work, in one word and one line for people."""
        self._send(f"READY=1\nSTATUS={_line(status)}\nMAINPID={os.getpid()}")

    def status(self, status: str) -> None:
        """Say how it goes, in one line for people."""
        self._send(f"STATUS={_line(status)}")

    def alive(self) -> None:
        """Answer the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def close(self) -> None:
        """Let go of the socket; more than once is harmless."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("the service manager could not be told: %s", error)


def _line(text: str) -> str:
    return " ".join(text.split())
