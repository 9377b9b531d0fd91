"""Signals onto the network: an LSL outlet that says everything about its channels."""

import ctypes
from dataclasses import replace
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from bci.sources.base import Channel, StreamInfo
from bci.sources.discovery import configure_lsl
from bci.sources.inlets import NUMPY_DTYPES
from bci.sources.units import DEFAULT_STREAM_UNIT, is_eeg, unit_scale, volts_per

__all__ = ["EegOutlet", "wire_channels", "wire_dtype"]

F64 = NDArray[np.float64]


def wire_dtype(dtype: str) -> str:
    """Return the LSL format for samples that were held as `dtype`: its own, else float32.

    Readers that compute volts hold float64 whatever the file holds; float32 resolves a nanovolt
    at 8 mV.

    >>> wire_dtype("int16"), wire_dtype("float64")
    ('int16', 'float32')
    """
    return dtype if dtype in NUMPY_DTYPES else "float32"


def wire_channels(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Return channels as they are declared on the wire: EEG without a known unit in microvolts."""
    return tuple(
        replace(channel, unit=DEFAULT_STREAM_UNIT)
        if is_eeg(channel) and volts_per(channel.unit) is None
        else channel
        for channel in channels
    )


class EegOutlet:
    """An LSL outlet for samples in volts.

    On the wire are the stream's own type and units (:func:`wire_dtype`, :func:`wire_channels`):
    numbers that a file held as float32 or integers come out of an inlet exactly as they were, and
    with them the volts that the reader computes.

    Parameters
    ----------
    info : StreamInfo
    source_id : str or None
        Instead of that of `info`.
    reference : str
        Label of the reference electrode, where it is known.
    cap : str
        Name of the cap.

    Attributes
    ----------
    info : StreamInfo
        As it is declared on the wire.
    scale : ndarray of float64, shape (n_channels,)
        Volts of one on the wire.
    n_pushed : int
    first_stamp, last_stamp : float or None
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        source_id: str | None = None,
        reference: str = "",
        cap: str = "",
    ) -> None:
        configure_lsl()
        channels = wire_channels(info.channels)
        self.source_id = info.source_id if source_id is None else source_id
        self.info = StreamInfo(
            name=info.name,
            kind=info.kind,
            source_id=self.source_id,
            rate_hz=info.rate_hz,
            channels=channels,
            dtype=wire_dtype(info.dtype),
            hostname=info.hostname,
        )
        self.n_pushed = 0
        self.first_stamp: float | None = None
        self.last_stamp: float | None = None
        self.scale = unit_scale(channels)
        self._dtype = NUMPY_DTYPES[self.info.dtype]
        self._outlet: Any = pylsl.StreamOutlet(_declaration(self.info, reference, cap))

    def push(self, volts: F64, stamps: F64) -> None:
        """Send samples, each with its own stamp.

        Parameters
        ----------
        volts : ndarray of float64, shape (n_samples, n_channels)
        stamps : ndarray of float64, shape (n_samples,)
            LSL clock (s).
        """
        if not len(stamps):
            return
        numbers = self.to_wire(volts)
        stamps = np.ascontiguousarray(stamps, dtype=np.float64)
        # pylsl's push_chunk copies each stamp into a list of Python floats; liblsl wants a pointer
        code = self._outlet.do_push_chunk_n(
            self._outlet.obj,
            ctypes.c_void_p(numbers.ctypes.data),
            ctypes.c_ulong(numbers.size),
            ctypes.c_void_p(stamps.ctypes.data),
            ctypes.c_int(1),
        )
        pylsl.util.handle_error(code)
        self.n_pushed += len(stamps)
        if self.first_stamp is None:
            self.first_stamp = float(stamps[0])
        self.last_stamp = float(stamps[-1])

    def to_wire(self, volts: F64) -> NDArray[np.generic]:
        """Return the numbers that times `scale` are `volts`, in the type of the wire."""
        if volts.shape[1:] != self.scale.shape:
            raise ValueError(f"{volts.shape} samples do not have {len(self.scale)} channels")
        numbers = volts / self.scale
        if self._dtype.kind == "i":
            limits = np.iinfo(self.info.dtype)
            np.clip(np.rint(numbers, out=numbers), limits.min, limits.max, out=numbers)
        return np.ascontiguousarray(numbers, dtype=self._dtype)

    def have_consumers(self) -> bool:
        """Whether somebody listens."""
        return bool(self._outlet.have_consumers())

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody listens; False when nobody did within `timeout_s`."""
        return bool(self._outlet.wait_for_consumers(timeout_s))

    def close(self) -> None:
        """Take the stream off the network; more than once is harmless."""
        self._outlet = None


def _declaration(info: StreamInfo, reference: str, cap: str) -> pylsl.StreamInfo:
    """Return liblsl's description, laid out as XDF's meta-data specification has it."""
    declared = pylsl.StreamInfo(
        info.name, info.kind, len(info.channels), info.rate_hz, info.dtype, info.source_id
    )
    desc = declared.desc()
    desc.append_child_value("manufacturer", "Rolandic")
    channels = desc.append_child("channels")
    for channel in info.channels:
        node = channels.append_child("channel")
        node.append_child_value("label", channel.label)
        if channel.unit:
            node.append_child_value("unit", channel.unit)
        node.append_child_value("type", channel.kind)
        if channel.impedance_ohm is not None:
            node.append_child_value("impedance", repr(channel.impedance_ohm / 1000))  # in kOhm
        if channel.position_m is not None:
            location = node.append_child("location")
            for axis, metres in zip("XYZ", channel.position_m, strict=True):
                location.append_child_value(axis, repr(float(metres) * 1000))  # in mm, by the spec
    if reference:
        desc.append_child("reference").append_child_value("label", reference)
    if cap:
        desc.append_child("cap").append_child_value("name", cap)
    acquisition = desc.append_child("acquisition")
    acquisition.append_child_value("manufacturer", "Rolandic")
    acquisition.append_child_value("precision", str(NUMPY_DTYPES[info.dtype].itemsize * 8))
    return declared
