"""How far LSL reaches: liblsl's configuration, set once a process.

This machine only, unless settings say otherwise, or the user has a configuration of their own,
which always wins. That hides, it does not lock: an outlet still listens on every interface, and a
program elsewhere that asks by broadcast is answered (docs/network.md).
"""

import logging
import os
import threading
from pathlib import Path

import pylsl

from bci.config import LslSettings
from bci.errors import SettingsError

__all__ = ["configure_lsl", "lsl_settings", "user_lsl_config"]

_log = logging.getLogger(__name__)

# The multicast group is ours (RFC 2365 leaves 239.255/16 to the site) and its packets leave with a
# time to live of 0, as scope "machine" sets it. Without one, the only address of that scope is
# 127.0.0.1 and only one of several outlets hears a packet to it: each resolve then waited 0.5 s for
# the second wave. With it, and with this machine as a known peer for programs that do not join the
# group (a second wave, after MulticastMinRTT), a resolve takes 1 ms among ourselves and 0.1 s for
# others (measured, liblsl 1.18.0).
# MaxRTT is how long each question is listened for, by default 3 and 5 s, with two ports of the
# outlets' range (IPv4 and IPv6): a search that went on held 22 of the 32 ports, now 4. And a
# question that is asked just when a search times out is not called off (resolver_impl.cpp,
# udp_unicast_burst): of eight searches of 0.4 s at once, five of sixteen ended 5 s late.
# Log level -3 (fatal): liblsl writes to stderr, which is ours.
_CONFIG = """
[ports]
MulticastPort = {multicast_port}
BasePort = {base_port}
PortRange = {n_ports}
[multicast]
ResolveScope = {scope}
MachineAddresses = {{127.0.0.1, 239.255.77.83}}
[lab]
KnownPeers = {{{peers}}}
SessionID = {session_id}
[tuning]
MulticastMinRTT = 0.1
UnicastMinRTT = 0.2
MulticastMaxRTT = 0.5
UnicastMaxRTT = 0.5
[log]
level = -3
"""

#: Holds the settings as JSON for the processes that this one starts.
_INHERITED = "ROLANDIC_LSL"


def user_lsl_config() -> Path | None:
    """Return the configuration file that liblsl would read; None when the user has none.

    One that ``LSLAPICFG`` names counts even if it is not there: the user meant to have one.
    """
    if "LSLAPICFG" in os.environ:
        return Path(os.environ["LSLAPICFG"])
    places = [Path("lsl_api.cfg")]
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    if home:
        places.append(Path(home) / "lsl_api" / "lsl_api.cfg")
    places.append(Path("/etc/lsl_api/lsl_api.cfg"))
    return next((place for place in places if place.is_file()), None)


def configure_lsl(settings: LslSettings | None = None) -> bool:
    """Set how far LSL reaches, once a process; an ``lsl_api.cfg`` of the user decides instead.

    Called before every first use of LSL in a process; again is harmless. Processes that this one
    starts inherit the settings.

    Parameters
    ----------
    settings : LslSettings, optional
        Default: those that hold already, else those of the process that started this one, else
        this machine only.

    Returns
    -------
    bool
        True when the configuration is ours, False when the user's file decides.

    Raises
    ------
    SettingsError
        When other settings hold in this process already: liblsl reads its own only once.
    """
    with _lock:
        if not _configured:
            chosen = settings or _inherited() or LslSettings()
            if settings is not None:
                os.environ[_INHERITED] = settings.model_dump_json()
            _configured.append((chosen, _use(chosen)))
        active, ours = _configured[0]
    if settings is not None and settings != active:
        raise SettingsError(
            "LSL was used in this process before, with other settings: start again to change its "
            "scope, session or peers"
        )
    return ours


_lock = threading.Lock()
#: The settings that were chosen in this process, and whether they hold; empty before first use.
_configured: list[tuple[LslSettings, bool]] = []


def _inherited() -> LslSettings | None:
    text = os.environ.get(_INHERITED)
    if not text:
        return None
    try:
        return LslSettings.model_validate_json(text)
    except ValueError as error:
        raise SettingsError(
            f"the environment variable {_INHERITED} holds no settings of LSL: unset it"
        ) from error


def _use(settings: LslSettings) -> bool:
    """Hand settings to liblsl unless the user has a file of their own; that is said."""
    path = user_lsl_config()
    if path is not None:
        if settings != LslSettings():
            _log.warning("%s decides about LSL: other settings of its scope do not count", path)
        return False
    values = settings.model_dump(exclude={"known_peers"})
    peers = ", ".join(dict.fromkeys(("127.0.0.1", *settings.known_peers)))
    pylsl.util.set_config_content(_CONFIG.format(peers=peers, **values))
    return True


def lsl_settings() -> LslSettings | None:
    """Return the settings of LSL that hold; None when the user's ``lsl_api.cfg`` decides."""
    return _configured[0][0] if configure_lsl() else None
