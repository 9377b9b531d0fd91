"""Which ports Rolandic's processes hold open, and to whom."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

import psutil

from bci.checks import Check, ok, warning

__all__ = ["OpenPort", "open_ports", "ports", "reach", "rolandic_processes"]


@dataclass(frozen=True, slots=True)
class OpenPort:
    """A port on which a process takes what others send.

    Attributes
    ----------
    protocol : {"TCP", "UDP"}
        TCP: it listens. UDP: it is bound; LSL's inlets and searches have one each, for answers.
    address : str
        Of the interface; ``"0.0.0.0"`` and ``"::"`` are all of them.
    port : int
    pid : int
    process : str
        Such as ``"bci simulate"``.
    """

    protocol: str
    address: str
    port: int
    pid: int
    process: str

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.address.partition("%")[0]).is_loopback


def open_ports(processes: Iterable[tuple[psutil.Process, str]]) -> list[OpenPort]:
    """List the open ports of processes with their names; those that end meanwhile have none."""
    found = []
    for process, name in processes:
        try:
            connections = process.net_connections("inet")
        except psutil.Error:
            continue
        for connection in connections:
            tcp = connection.type == socket.SOCK_STREAM
            if tcp and connection.status != psutil.CONN_LISTEN:
                continue  # a connection that stands lets nobody else in
            if connection.laddr:
                address, port = connection.laddr[:2]
                found.append(OpenPort("TCP" if tcp else "UDP", address, port, process.pid, name))
    return sorted(set(found), key=lambda p: (p.process, p.pid, p.protocol, p.port, p.address))


def rolandic_processes() -> list[tuple[psutil.Process, str]]:
    """Return this process, every other of this user that runs Rolandic, and their children.

    Each with the command that started it: ``"bci simulate"``.
    """
    me = psutil.Process()
    roots = [(me, "this process")]
    for process in psutil.process_iter(["username", "cmdline"]):
        command = _command(process.info["cmdline"] or [])
        if command and process != me and process.info["username"] == me.username():
            roots.append((process, command))
    every: dict[int, tuple[psutil.Process, str]] = {}
    for root, command in roots:
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            continue
        for process in family:
            every.setdefault(process.pid, (process, command))
    return list(every.values())


def _command(line: list[str]) -> str:
    """Return which command of Rolandic a command line starts; empty: none.

    >>> _command(["python", "-m", "bci", "record", "--out", "x.xdf"]), _command(["/bin/bci"])
    ('bci record', 'bci')
    >>> _command(["/usr/bin/python3", "/usr/bin/rolandic"]), _command(["vi", "bci.txt"])
    ('rolandic', '')
    """
    programs = [PurePath(word).name.lower().removesuffix(".exe") for word in line[:4]]
    for number, program in enumerate(programs):
        by_module = number and line[number - 1] == "-m"
        # The program itself, or the script or module that Python runs.
        if program in ("bci", "rolandic") and (
            by_module or not number or programs[0].startswith("python")
        ):
            word = next((w for w in line[number + 1 :] if not w.startswith("-")), "")
            return f"{program} {word}".strip()
    return ""


def reach(port: OpenPort) -> str:
    """Say in words who can reach a port."""
    if port.is_local:
        return "this machine only"
    if ipaddress.ip_address(port.address.partition("%")[0]).is_unspecified:
        return "every machine that reaches this one"
    return f"the network of {port.address}"


def ports(name: str) -> Check:
    """Say which ports the running processes of Rolandic hold open, and to whom."""
    processes = rolandic_processes()
    found = open_ports(processes)
    told = [
        f"{process} ({pid}): " + "; ".join(_grouped(p for p in found if p.pid == pid))
        for process, pid in dict.fromkeys((port.process, port.pid) for port in found)
    ]
    n_others = len(processes) - 1
    among = "this process" + (f" and {n_others} more of Rolandic" if n_others else "")
    if not found:
        return ok(name, f"none, in {among}")
    detail = f"in {among}: {'; '.join(told)}"
    if any(port.protocol == "TCP" and not port.is_local for port in found):
        return warning(
            name,
            detail,
            "close what is not asked for; let a firewall keep others out (docs/network.md)",
        )
    return ok(name, f"nothing that others can fetch from; {detail}")


def _grouped(found: Iterable[OpenPort]) -> list[str]:
    groups: dict[tuple[str, str], set[int]] = {}
    for port in found:
        groups.setdefault((port.protocol, reach(port)), set()).add(port.port)
    return [
        f"{protocol} {', '.join(map(str, sorted(numbers)))} to {who}"
        for (protocol, who), numbers in groups.items()
    ]
