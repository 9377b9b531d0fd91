"""One connection of the remote control: bytes in, whole answers out, and limits."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Protocol, cast

from bci.daemon.remote_protocol import LineBuffer
from bci.daemon.remote_settings import RemoteSettings
from bci.errors import SettingsError

__all__ = ["Client", "Owner"]

_log = logging.getLogger(__name__)

#: Bytes read at a time. Small: what is read at once is at most so many lines.
_READ = 4096
#: Lines that wait for their answer before no more are read.
_MOST_PENDING = 64
#: Bytes of answers kept for a client that does not read them.
_MOST_UNREAD = 65536
#: After the last answer, how long the client may take to hang up.
_LINGER_S = 2.0


class Owner(Protocol):
    """What a connection belongs to."""

    settings: RemoteSettings

    def admit(self, client: "Client") -> str:
        """Count a client in; say why it is not listened to, empty when it is."""
        ...

    def forget(self, client: "Client") -> None:
        """Count a client out."""
        ...

    def received(self, client: "Client", line: bytes | SettingsError) -> None:
        """Take a line, or why there is none."""
        ...


class Client(asyncio.BufferedProtocol):
    """A connection.

    Attributes
    ----------
    peer : str
        Address and port.
    trusted : bool
        The token was given, or none is needed.
    finished : bool
        Nothing more of it is carried out.
    deaf : bool
        No more lines are taken: the client has ended them, or was refused.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = bytearray(_READ)
        self._lines = LineBuffer()
        self._n_pending = 0
        self._n_unread = 0
        self.deaf = False
        self._eof = False
        self._hung_up = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.peer = ""
        self.trusted = owner.settings.token is None
        self.finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, if it may come in."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone already
            self.deaf = True
            self._transport.abort()
            return
        address, port = peer[:2]
        self.peer = f"{address} port {port}"
        settings = self._owner.settings
        if not settings.allows(address):
            _log.warning("remote control: %s is not in the allow-list", self.peer)
            self.deaf = True
            self._transport.abort()
            return
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if reason := self._owner.admit(self):
            self._refuse(reason)
        else:
            self._time_line()
            self._time_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; lines of its that wait are carried out."""
        self.deaf = True
        self._owner.forget(self)
        for timer in self._timers.values():
            timer.cancel()
        if self._n_unread:
            _log.info("remote control: %s did not read %d answers", self.peer, self._n_unread)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on the lines that have ended."""
        if self.deaf:
            return
        try:
            lines = self._lines.feed(bytes(self._buffer[:nbytes]))
        except SettingsError as error:
            self._refuse(str(error))
            return
        for line in lines:
            self._pass_on(line)
        self._time_line(again=bool(lines))

    def eof_received(self) -> bool:
        """Carry out what came without an end of line; stay for the answers."""
        self._eof = True
        if self._hung_up:
            return False
        if not self.deaf:
            self._pass_on(self._lines.end())
            self.deaf = True
        if not self._n_pending:
            self._hang_up()
        return True

    def answer(self, answer: str) -> None:
        """Write the answer to the oldest line; whole, or not at all if they are not read."""
        self._n_pending -= 1
        if self._transport.is_closing() or self._hung_up:
            return
        if self._transport.get_write_buffer_size() > _MOST_UNREAD:
            self._n_unread += 1
        else:
            self._transport.write(answer.encode())
        if self.finished or (self.deaf and not self._n_pending):
            self._hang_up()
        else:
            if self._n_pending < _MOST_PENDING // 2:
                self._transport.resume_reading()
            self._time_line()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _pass_on(self, line: bytes | SettingsError) -> None:
        if not line:
            return
        self._n_pending += 1
        self._owner.received(self, line)
        if self._n_pending >= _MOST_PENDING:
            self._transport.pause_reading()
        self._time_idle()

    def _refuse(self, reason: str) -> None:
        """Hang up with a reason, after the answers that are due."""
        if self.deaf:
            return
        if self._n_pending:
            self._pass_on(SettingsError(reason))
            self.deaf = True
        else:
            self._transport.write(f"ERROR: {reason}\n".encode())
            self._hang_up()

    def _hang_up(self) -> None:
        """Say that no more comes, and wait a little for the client to close.

        Closing at once, with bytes of the client unread, would reset the connection, and the
        client would not see why.
        """
        if self._hung_up:
            return
        self._hung_up = self.deaf = True
        self._time("linger", _LINGER_S, self.abort)
        if self._eof:
            self._transport.close()
        else:
            self._transport.resume_reading()
            with contextlib.suppress(OSError):  # reset meanwhile: its loss is on the way
                self._transport.write_eof()

    def _time_line(self, *, again: bool = False) -> None:
        """Limit the time for what is due: the rest of a line, or the token."""
        due = self._lines.waiting or not self.trusted
        if "line" in self._timers and (again or not due):
            self._timers.pop("line").cancel()
        if due and "line" not in self._timers:
            line_s = self._owner.settings.line_s
            self._time("line", line_s, self._refuse, f"no whole line came within {line_s:g} s")

    def _time_idle(self) -> None:
        idle_s = self._owner.settings.idle_s
        self._time("idle", idle_s, self._refuse, f"no command came for {idle_s:g} s")

    def _time(self, name: str, delay_s: float, act: Callable[..., None], *values: str) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(delay_s, act, *values)
