"""Which settings of the remote control are refused at the start."""

from typing import Any

import pytest
from pydantic import ValidationError

from bci.daemon.remote_settings import RemoteSettings

TOKEN = "q7Vx-2mR8_kP4wLz9TnB"


def test_it_is_off_and_on_the_loopback_unless_asked() -> None:
    """The default listens to nobody, and would to this computer alone."""
    settings = RemoteSettings()
    assert not settings.enabled
    assert settings.port == 22345
    assert settings.allows("127.0.0.1")
    assert settings.allows("::1")
    assert not settings.allows("192.168.1.20")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "fe80::1"])
def test_an_address_of_the_network_needs_a_token_and_a_list(address: str) -> None:
    """Each alone is refused with what is missing; both together are taken."""
    for given, missing in [
        ({}, "token and allow"),
        ({"token": TOKEN}, "set allow"),
        ({"allow": ["192.168.1.0/24"]}, "set token"),
    ]:
        with pytest.raises(ValidationError, match=missing):
            RemoteSettings(address=address, **given)  # type: ignore[arg-type]
    settings = RemoteSettings(address=address, token=TOKEN, allow=["192.168.1.0/24"])  # type: ignore[arg-type]
    assert settings.allows("192.168.1.77")
    assert not settings.allows("192.168.2.77")
    assert not settings.allows("127.0.0.1")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"token": "short"}, "at least 16"),
        ({"token": "twenty characters, two blanks"}, "blanks"),
        ({"address": "lab-pc"}, "address of this computer"),
        ({"allow": ["everyone"]}, "a network of clients"),
        ({"allow": ["0.0.0.0/0"]}, "allows everybody"),
        ({"allow": ["192.168.1.5/24"]}, "a network of clients"),
        ({"port": 70000}, "65535"),
        ({"n_clients": 0}, "greater"),
        ({"answers": "loud"}, "full"),
        ({"passwort": "x"}, "Extra"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(ValidationError, match=reason):
        RemoteSettings(**values)


def test_localhost_is_the_loopback() -> None:
    """The name that scripts use is understood."""
    assert RemoteSettings(address="localhost").address == "127.0.0.1"
