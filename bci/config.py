"""Validated settings, shared by the commands, the experiment and the model's card."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bci.errors import SettingsError
from bci.pseudonyms import check_pseudonym, check_session

__all__ = [
    "EpochSettings",
    "Folder",
    "LslSettings",
    "OnlineSettings",
    "Pseudonym",
    "SessionLabel",
    "Settings",
]

#: The id of a person, in any settings: never a name, a birth date or a hospital's number.
Pseudonym = Annotated[str, AfterValidator(check_pseudonym)]


def _named(folder: object) -> object:
    if isinstance(folder, str) and not folder.strip():
        raise ValueError("no folder is named, and the current one is not meant: name one")
    return folder


#: A folder in any settings: ``Path("")`` would be the current one, and recordings went astray.
Folder = Annotated[Path, BeforeValidator(_named)]

#: The id of a session, in any settings: held to what names no person either.
SessionLabel = Annotated[str, AfterValidator(check_session)]


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown names are an error.

    Raises
    ------
    SettingsError
        From :meth:`make`, in one line that names the setting and the value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def make(cls, **values: Any) -> Self:
        """Build from keyword values; a bad one is a :class:`SettingsError`."""
        try:
            return cls(**values)
        except pydantic.ValidationError as error:
            problems = []
            for item in error.errors():
                name = ".".join(str(part) for part in item["loc"])
                message = item["msg"].removeprefix("Value error, ")
                problems.append(f"{name} {item['input']!r}: {message}" if name else message)
            raise SettingsError("; ".join(problems)) from error


class EpochSettings(Settings):
    """Which part of which trials a decoder sees.

    Attributes
    ----------
    band_hz : (low, high)
        Pass band of the causal Butterworth filter.
    filter_order : int
        Order of the low-pass prototype (the band-pass has twice as many poles).
    window_s : (start, stop)
        Span of the trial that is used, relative to the cue.
    length_s : float or None
        Length of a window; None: the whole span.
    step_s : float or None
        From one window of a trial to the next; None: one window a trial.
    classes : tuple of str
        Empty: every class that the events name.
    event_map : dict
        Marker label to class; empty: class names and GDF cue codes count.
    channels : tuple of str
        Channels used, by name; empty: all EEG channels.
    bad_channels : tuple of str
        Channels never used, by name, whatever `channels` says.
    reject : bool
        Don't learn from trials that stand out (`bci.signal.rejection`).
    left_out : dict of str to tuple of float
        Trials that were taken out by hand: by the recording's file name, the onsets of their cues
        from its first sample (s).
    """

    band_hz: tuple[float, float] = (8.0, 32.0)
    filter_order: int = Field(default=4, ge=1, le=10)
    window_s: tuple[float, float] = (0.5, 3.5)
    length_s: float | None = Field(default=None, gt=0)
    step_s: float | None = Field(default=None, gt=0)
    classes: tuple[str, ...] = ()
    event_map: dict[str, str] = Field(default_factory=dict)
    channels: tuple[str, ...] = ()
    bad_channels: tuple[str, ...] = ()
    reject: bool = False
    left_out: dict[str, tuple[float, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.band_hz
        if not 0 < low < high:
            raise ValueError(f"band {low:g} {high:g} Hz: give 0 < low < high")
        start, stop = self.window_s
        if not start < stop:
            raise ValueError(f"window {start:g} {stop:g} s: the end must lie after the start")
        if self.length_s is not None and self.length_s > stop - start + 1e-9:
            raise ValueError(
                f"length {self.length_s:g} s is longer than the window ({stop - start:g} s)"
            )
        if self.step_s is not None and self.length_s is None:
            raise ValueError(f"step {self.step_s:g} s needs a length: windows are cut by both")
        return self

    @property
    def window_length_s(self) -> float:
        """Length of one window (s)."""
        return self.length_s if self.length_s is not None else self.window_s[1] - self.window_s[0]


class OnlineSettings(Settings):
    """How windows become decisions.

    Attributes
    ----------
    hop_s : float
        From one decision to the next.
    smoothing : {"none", "exponential", "evidence"}
        Of the class probabilities: none; exponential average; evidence accumulated (mean of the
        log probabilities) since the last restart.
    smoothing_s : float
        Time constant of the exponential average.
    threshold : float
        A class is decided when its smoothed probability is at least this ...
    dwell_s : float
        ... for this long ...
    refractory_s : float
        ... and no other was within this time before.
    stale_s : float
        A window whose newest sample is older than this is not decided on.
    """

    hop_s: float = Field(default=0.1, gt=0, le=10)
    smoothing: str = Field(default="exponential", pattern="^(none|exponential|evidence)$")
    smoothing_s: float = Field(default=0.5, gt=0)
    threshold: float = Field(default=0.6, ge=0, le=1)
    dwell_s: float = Field(default=0.0, ge=0)
    refractory_s: float = Field(default=0.0, ge=0)
    stale_s: float = Field(default=0.3, gt=0)


_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*\.?")


def _peer(host: str) -> str:
    """Refuse what is neither a host name nor an address: it goes into liblsl's configuration."""
    try:
        address = re.fullmatch("[0-9A-Fa-f.:]+", host) is not None and ipaddress.ip_address(host)
    except ValueError:
        address = False
    if not address and (len(host) > 253 or not _HOST.fullmatch(host)):
        raise ValueError(
            "this is no host name or address: write one such as amplifier-pc or 192.0.2.7"
        )
    return host


class LslSettings(Settings):
    """How far LSL reaches: where streams are looked for, and who finds ours.

    The default reaches this machine only. That hides, it does not lock (docs/network.md).

    Attributes
    ----------
    scope : {"machine", "link", "site", "organization", "global"}
        How far the question "who has streams" is sent; ``"link"``: the local network.
    session_id : str
        Streams of another session id are not seen, nor ours by them. ``"default"``: that of every
        LSL program that was not told otherwise.
    known_peers : tuple of str
        Host names or addresses that are asked directly, whatever the scope; this machine always is.
    base_port, n_ports : int
        Outlets listen on ports from `base_port`, and are asked there.
    multicast_port : int
        UDP port of the question.
    """

    scope: Literal["machine", "link", "site", "organization", "global"] = "machine"
    session_id: str = Field(default="default", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    known_peers: tuple[Annotated[str, AfterValidator(_peer)], ...] = Field(
        default=(), max_length=64
    )
    base_port: int = Field(default=16572, ge=1024, le=65535)
    n_ports: int = Field(default=32, ge=2, le=1024)
    multicast_port: int = Field(default=16571, ge=1024, le=65535)

    @model_validator(mode="after")
    def _check(self) -> Self:
        last = self.base_port + self.n_ports - 1
        if last > 65535:
            raise ValueError(f"base_port {self.base_port} and n_ports end above 65535: lower one")
        if self.base_port <= self.multicast_port <= last:
            raise ValueError(
                f"multicast_port {self.multicast_port} lies in {self.base_port} to {last}, the "
                "ports of outlets: choose another"
            )
        return self
