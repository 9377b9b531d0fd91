"""Who may drive the recorder over the network, and from where."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bci.config import Settings

__all__ = ["RemoteSettings"]

_SHORTEST_TOKEN = 16
_LOOPBACK = ("127.0.0.0/8", "::1/128")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError as error:
        raise ValueError("give an address of this computer, such as 127.0.0.1") from error


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            "give an address or a network of clients, such as 192.168.1.20 or 192.168.1.0/24"
        ) from error
    if network.prefixlen == 0:
        raise ValueError("this allows everybody: name the network of the clients")
    return str(network)


def _token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            f"a token has at least {_SHORTEST_TOKEN} characters, letters, digits and signs without "
            'blanks: python -c "import secrets; print(secrets.token_urlsafe(24))" prints one'
        )
    return token


class RemoteSettings(Settings):
    """Remote control by LabRecorder's commands; off unless it is asked for.

    Attributes
    ----------
    enabled : bool
    address : str
        Of this computer, where it listens. One that is not the loopback needs `token` and `allow`.
    port : int
        LabRecorder's is 22345; 0: any that is free.
    token : str or None
        What a client sends first: ``token`` and this.
    allow : tuple of str
        Addresses and networks (CIDR) of clients; empty: this computer.
    roots : tuple of str
        Spellings of ``root`` that stand for the workspace, for scripts that send LabRecorder's
        study root.
    answers : {"full", "short"}
        ``"short"``: a success is answered with ``OK`` alone, for scripts that compare for equality.
    n_clients : int
        Connections at a time.
    line_s : float
        A line that has begun, and the token, must arrive within this time.
    idle_s : float
        A connection without a command for this long is closed.
    """

    enabled: bool = False
    address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: int = Field(default=22345, ge=0, le=65535)
    token: Annotated[SecretStr, AfterValidator(_token)] | None = None
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(default=(), max_length=64)
    roots: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), max_length=16)
    answers: Literal["full", "short"] = "full"
    n_clients: int = Field(default=16, ge=1, le=256)
    line_s: float = Field(default=10.0, gt=0, le=600)
    idle_s: float = Field(default=4 * 3600.0, gt=0)

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if ipaddress.ip_address(self.address).is_loopback:
            return self
        missing = [
            name for name, given in (("token", self.token), ("allow", self.allow)) if not given
        ]
        if missing:
            raise ValueError(
                f"address {self.address} can be reached from the network: set "
                f"{' and '.join(missing)} too, or listen on 127.0.0.1"
            )
        return self

    def allows(self, address: str) -> bool:
        """Say whether a client at an address may connect."""
        client = ipaddress.ip_address(address.partition("%")[0])
        networks = map(ipaddress.ip_network, self.allow or _LOOPBACK)
        return any(client in network for network in networks)
