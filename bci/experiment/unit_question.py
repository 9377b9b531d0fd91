"""Asking in which unit a stream's numbers are, where it does not say."""

from dataclasses import dataclass

from bci.acquisition import Acquisition
from bci.errors import ChannelError
from bci.sources.discovery import StreamQuery
from bci.sources.units import suggested_unit, undeclared_unit_warning, unit_scale

__all__ = ["UnitQuestion", "ask_of_refusal", "ask_of_stream"]

#: How long a second of signal is waited for (s).
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class UnitQuestion:
    """The stream does not say, or not as a voltage, in which unit its numbers are.

    Attributes
    ----------
    text : str
    suggested : str
        The unit in which the numbers would be EEG.
    query : StreamQuery
    """

    text: str
    suggested: str
    query: StreamQuery


def ask_of_refusal(error: ChannelError, query: StreamQuery) -> UnitQuestion | None:
    """Return what to ask when a stream was refused for its unit; None: it was for something else.

    Parameters
    ----------
    error : ChannelError
        Of the connection.
    query : StreamQuery
    """
    text, found, _ = str(error).partition(": say --unit")
    return UnitQuestion(text, "uV", query) if found and "is no voltage" in text else None


def ask_of_stream(acquisition: Acquisition, query: StreamQuery) -> UnitQuestion | None:
    """Return what to ask of a connected stream that names no unit; None: it names one.

    Waits for a second of signal, and looks in which unit it would be EEG.
    """
    info, ring = acquisition.info, acquisition.ring
    told = undeclared_unit_warning(info.channels)
    if told is None:
        return None
    n_samples = round(info.rate_hz)
    ring.wait_for(n_samples, _PATIENCE_S)
    suggested = "uV"
    window = ring.window(ring.n_written, min(n_samples, max(1, ring.n_written)))
    if window is not None:
        eeg = [k for k, channel in enumerate(info.channels) if channel.kind.upper() == "EEG"]
        suggested = suggested_unit(window.samples[:, eeg] / unit_scale(info.channels)[eeg])
    return UnitQuestion(told.split("; say --unit")[0], suggested, query)
