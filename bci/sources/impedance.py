"""Impedances of electrodes, in whichever way a stream tells them."""

from collections.abc import Iterable

import numpy as np

from bci.sources.labels import canonical_label
from bci.sources.xdf_streams import XdfStream

__all__ = ["stream_impedances"]

_OHM_PER = {"ohm": 1.0, "kohm": 1e3, "mohm": 1e6}


def stream_impedances(streams: Iterable[XdfStream]) -> dict[str, float]:
    """Read the streams of a file that carry impedances: those whose type says so.

    Parameters
    ----------
    streams : iterable of XdfStream

    Returns
    -------
    dict of str to float
        Of each electrode that they name, the last value above zero (Ohm). A channel without a unit
        is taken for kOhm, as in the meta-data of EEG streams.
    """
    found: dict[str, float] = {}
    for stream in streams:
        described = stream.info.findall("desc/channels/channel")
        if "imped" not in stream.text("type").lower() or stream.layout.is_text:
            continue
        if len(described) != stream.layout.n_channels or not len(stream.stamps):
            continue
        values = np.asarray(stream.values).astype(np.float64)
        for channel, item in enumerate(described):
            unit = (item.findtext("unit") or "kohm").strip().lower().rstrip("s")
            scale = _OHM_PER.get(unit.replace("kiloohm", "kohm").replace("ω", "ohm"))
            measured = values[np.isfinite(values[:, channel]) & (values[:, channel] > 0), channel]
            label = canonical_label(item.findtext("label") or "")
            if scale is not None and label and len(measured):
                found[label] = scale * float(measured[-1])
    return found
