"""LSL: its library, its settings, and a stream that goes out and comes in again."""

import os
import time
import uuid

import numpy as np

from bci.checks import Check, failed, ok, warning

__all__ = ["library", "round_trip", "settings"]

_N_SAMPLES = 100
_SLOW_MS = 5.0


def library(name: str) -> Check:
    """Check that liblsl can be loaded, and which it is."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        return failed(
            name,
            f"cannot be loaded ({' '.join(str(error).split())[:200]})",
            "pip install --force-reinstall pylsl; or set PYLSL_LIB to the path of a liblsl",
        )
    # Before any other call of liblsl, which else settles on its own defaults, and logs them.
    from bci.sources.discovery import configure_lsl

    configure_lsl()
    number, protocol = pylsl.library_version(), pylsl.protocol_version()
    return ok(
        name,
        f"{number // 100}.{number % 100} (protocol {protocol // 100}.{protocol % 100}), "
        f"pylsl {pylsl.__version__}",
    )


def settings(name: str) -> Check:
    """Check whose settings hold: Rolandic's, or those of an ``lsl_api.cfg``."""
    from bci.sources.lsl_config import lsl_settings, user_lsl_config

    path = user_lsl_config()
    if path is None:
        held = lsl_settings()
        if held is None or (held.scope == "machine" and not held.known_peers):
            return ok(
                name, "streams of this machine only; settings, or an lsl_api.cfg, say otherwise"
            )
        peers = f" and {', '.join(held.known_peers)}" if held.known_peers else ""
        return ok(name, f"streams of scope {held.scope!r}{peers}")
    if not path.is_file():
        return failed(
            name,
            f"LSLAPICFG names {path}, which is not there: liblsl falls back to its defaults, open "
            "to the whole network",
            "mend LSLAPICFG, or unset it",
        )
    if not os.access(path, os.R_OK):
        return failed(name, f"{path} cannot be read", "mend its rights")
    return ok(name, f"those of {path.resolve()}")


def round_trip(name: str) -> Check:
    """Send samples through a stream of this machine, and time their way."""
    import pylsl

    from bci.errors import StreamError
    from bci.sources.discovery import StreamQuery, configure_lsl, resolve_one
    from bci.sources.inlets import NumericPull, open_inlet

    configure_lsl()
    source_id = f"rolandic-doctor-{uuid.uuid4()}"
    described = pylsl.StreamInfo("rolandic doctor", "check", 1, 0.0, "double64", source_id)
    outlet = pylsl.StreamOutlet(described)
    firewall = (
        "let Python through the firewall (UDP 16571 to 16604, TCP 16572 to 16604, multicast), and "
        "leave VPNs"
    )
    began = time.perf_counter()
    try:
        inlet, _ = open_inlet(resolve_one(StreamQuery(source_id=source_id), 3.0), 3.0)
    except StreamError as error:
        return failed(name, f"no stream can be found or opened here: {error}", firewall)
    found_s = time.perf_counter() - began
    pull = NumericPull(inlet, 1)
    late_ms = []
    try:
        for number in range(_N_SAMPLES):
            outlet.push_sample([float(number)], pylsl.local_clock())
            if not pull(1.0) or pull.samples[0, 0] != number:
                return failed(name, f"sample {number} of {_N_SAMPLES} did not come in", firewall)
            late_ms.append(1e3 * (pylsl.local_clock() - pull.stamps[0]))
    finally:
        inlet.close_stream()
    middle, worst = float(np.median(late_ms)), float(np.quantile(late_ms, 0.99))
    detail = f"found in {found_s:.2f} s; a sample's way takes {middle:.2f} ms, p99 {worst:.2f} ms"
    if middle > _SLOW_MS:
        return warning(name, detail, "end other programs that compute; look for a slow firewall")
    return ok(name, detail)
