"""Remote control: LabRecorder's commands over TCP, answered with what happened.

The decision: two threads, so that neither a slow command nor a bad client touches the recording.

==================  ===========================================  ==================
thread              does                                         blocks on
==================  ===========================================  ==================
``remote control``  the sockets: reads lines, writes answers     the network
``remote command``  one command at a time, in order of arrival,  the target
                    of all clients together
==================  ===========================================  ==================

==========================  ==================  ==========================
attribute                   writer              readers
==========================  ==================  ==========================
`RemoteControl._lines`      remote control      remote command
`RemoteControl._name`       remote command      remote command
`Client.trusted, finished`  remote command      both (a stale read is safe)
the rest of `Client`        remote control      remote control
==========================  ==================  ==========================

A client that hangs up still has its lines carried out: scripts send ``stop`` and close. A
``filename`` that is refused takes the name of the next recording back to ``unnamed``: a script that
never reads its answers loses no data then, and records nobody as the person before.
"""

import asyncio
import hmac
import logging
import queue
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Protocol, Self

from bci.daemon.file_names import FileName
from bci.daemon.remote_client import Client
from bci.daemon.remote_protocol import is_http, parse, text_of
from bci.daemon.remote_settings import RemoteSettings
from bci.errors import RolandicError, SettingsError

__all__ = ["RemoteControl", "RemoteTarget"]

_log = logging.getLogger(__name__)

_LONGEST_ANSWER = 1000
_CLOSE_S = 5.0
#: Of all clients together, those that have hung up too: beyond, nobody is let in. Who is in adds
#: no more than `Client` reads at a time.
_MOST_LINES = 1024


class RemoteTarget(Protocol):
    """What is driven. Called from one thread; each says in a text what happened."""

    def select(self, query: str) -> str:
        """Choose what ``start`` records: ``"all"``, ``"none"``, or add what an LSL query matches.

        Raises
        ------
        RolandicError
            When it cannot be done; so for each of these.
        """
        ...

    def filename(self, name: FileName) -> str:
        """Take the name of the next recording; `FileName.pattern` is its path."""
        ...

    def start(self) -> str:
        """Begin a recording of what is selected."""
        ...

    def stop(self) -> str:
        """End the recording."""
        ...

    def update(self) -> str:
        """Look for streams again."""
        ...


class RemoteControl:
    """Listens from its making until :meth:`close`.

    Parameters
    ----------
    settings : RemoteSettings
    target : RemoteTarget
    workspace : Path
        The one folder under which recordings are made.
    name : FileName
        Of the next recording, before the first ``filename``.

    Raises
    ------
    SettingsError
        When it cannot listen there.
    """

    def __init__(
        self,
        settings: RemoteSettings,
        target: RemoteTarget,
        workspace: Path,
        name: FileName | None = None,
    ) -> None:
        self.settings = settings
        self._target = target
        self._roots = {
            _normal(root) for root in (str(workspace), str(workspace.resolve()), *settings.roots)
        }
        self._name = FileName() if name is None else name
        self._lines: queue.Queue[tuple[Client, bytes | SettingsError] | None] = queue.Queue()
        self._serving = threading.Event()
        self._closing = threading.Event()
        self._socket = _listening(settings)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._clients: set[Client] = set()
        self._threads = [
            threading.Thread(target=self._serve, name="remote control", daemon=True),
            threading.Thread(target=self._work, name="remote command", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._serving.wait()
        _log.info("remote control listens on %s port %d", settings.address, self.port)

    def close(self) -> None:
        """Hang up; a command under way may end. More than once is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._lines.put(None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(_CLOSE_S)
            if thread.is_alive():
                _log.error("%s does not end: a command hangs", thread.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def admit(self, client: Client) -> str:
        """Count a client in; say why it is not listened to, empty when it is."""
        self._clients.add(client)
        if sum(not other.deaf for other in self._clients) > self.settings.n_clients:
            return f"{self.settings.n_clients} clients are connected already: close one"
        if self._lines.qsize() >= _MOST_LINES:
            return "too many commands are waiting: try again"
        return ""

    def forget(self, client: Client) -> None:
        """Count a client out."""
        self._clients.discard(client)

    def received(self, client: Client, line: bytes | SettingsError) -> None:
        """Take a line, or why there is none, for the thread of commands."""
        self._lines.put((client, line))

    def _serve(self) -> None:
        loop = self._loop
        server = loop.run_until_complete(
            loop.create_server(lambda: Client(self), sock=self._socket, backlog=128)
        )
        self._serving.set()
        try:
            loop.run_forever()
        finally:
            server.close()
            for client in tuple(self._clients):
                client.abort()
            # One more turn: transports close their sockets in a callback.
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    def _work(self) -> None:
        while (item := self._lines.get()) is not None and not self._closing.is_set():
            client, line = item
            answer = self._answer(client, line)
            try:
                self._loop.call_soon_threadsafe(client.answer, answer)
            except RuntimeError:  # the loop has closed meanwhile
                return

    def _answer(self, client: Client, line: bytes | SettingsError) -> str:
        """Carry a line out; the answer, empty for a client that is not heard any more."""
        if client.finished:
            return ""
        try:
            if isinstance(line, SettingsError):
                client.finished = True
                raise line
            said = self._obey(client, text_of(line))
        except RolandicError as error:
            return f"ERROR: {_one_line(str(error))}\n"
        except Exception:
            _log.exception("remote control: a command failed")
            return "ERROR: this command failed inside Rolandic: see its log\n"
        return "OK\n" if self.settings.answers == "short" else f"OK {_one_line(said)}\n"

    def _obey(self, client: Client, text: str) -> str:
        if is_http(text):
            client.finished = True
            raise SettingsError("this port speaks LabRecorder's commands, not HTTP")
        if text.startswith("token "):
            return self._trust(client, text.removeprefix("token ").strip())
        if not client.trusted:
            client.finished = True
            _log.warning("remote control: %s sent no token", client.peer)
            raise SettingsError("send first a line with the word token and the token")
        try:
            command = parse(text)
            name = self._name.changed(command.options, self._is_root)
        except SettingsError as error:
            if text.lower().startswith("filename"):
                self._forget_name(error)
            raise
        match command.verb:
            case "select":
                said = self._target.select(command.query)
            case "filename":
                said = self._target.filename(name)
                self._name = name
            case "start":
                said = self._target.start()
            case "stop":
                said = self._target.stop()
            case _:
                said = self._target.update()
        _log.info("remote control: %s: %s: %s", client.peer, command.verb, said)
        return said

    def _forget_name(self, error: SettingsError) -> NoReturn:
        self._name = FileName()
        said = self._target.filename(self._name)
        raise SettingsError(f"{error}; the next recording is {said}") from error

    def _trust(self, client: Client, token: str) -> str:
        expected = self.settings.token
        if expected is None:
            return "no token is needed"
        if not hmac.compare_digest(token.encode(), expected.get_secret_value().encode()):
            client.finished = True
            _log.warning("remote control: %s sent a wrong token", client.peer)
            raise SettingsError("this is not the token")
        client.trusted = True
        return "token accepted"

    def _is_root(self, root: str) -> bool:
        return _normal(root) in self._roots


def _listening(settings: RemoteSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    try:
        return socket.create_server((settings.address, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            f"remote control cannot listen on {settings.address} port {settings.port} "
            f"({error.strerror}): end the program that does, such as LabRecorder, or choose "
            "another address or port"
        ) from error


def _normal(root: str) -> str:
    """Spell a root one way. As text: a path from the network is not even looked up."""
    root = root.strip().replace("\\", "/").rstrip("/") or "/"
    return root.casefold() if root[1:2] == ":" else root


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_ANSWER]
