"""Where recordings go: whether the folder takes them, and for how long."""

import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from bci.checks import Check, failed, ok, warning
from bci.preflight.plan import Plan

__all__ = ["folder", "space"]

_TEST_BYTES = 1 << 20
#: A sync of 1 MiB takes 1 to 30 ms on a disk of today; the recorder syncs each second.
_SLOW_S = 0.5
#: With less than this beyond the plan (or at all) there is no room for a session that runs late.
_SPARE_S = 600.0


def folder(name: str, wanted: Path | str | None) -> Check:
    """Write, sync, read and delete a file where the recordings will go."""
    if wanted is None or not str(wanted).strip():
        return failed(name, "no folder is set", "say where recordings go: --out, or folder = ...")
    target = Path(wanted).expanduser().absolute()
    place = target if target.exists() else target.parent
    if not place.exists():
        return failed(
            name,
            f"neither {target} nor the folder that it would be made in is there",
            "make it, connect or mount its disk, or choose another",
        )
    if not place.is_dir():
        return failed(name, f"{place} is no folder", "choose another")
    began = time.perf_counter()
    try:
        _write_and_read(place)
    except OSError as error:
        return failed(
            name,
            f"{place} does not take a file ({error.strerror or error})",
            "mend its rights, free space, or choose another folder",
        )
    took_s = time.perf_counter() - began
    made = "" if target.exists() else "; it is made at the start"
    detail = f"{target}: 1 MiB written, synced and read back in {1e3 * took_s:.0f} ms{made}"
    if took_s > _SLOW_S:
        return warning(
            name, f"{detail}, which is slow", "record to a local disk, then copy to the network"
        )
    if os.name == "posix" and target.exists() and target.stat().st_mode & 0o077:
        return warning(
            name,
            f"{detail}; others who use this machine can look into it (the files are private)",
            f"chmod 700 {target}",
        )
    return ok(name, detail)


def _write_and_read(place: Path) -> None:
    content = secrets.token_bytes(_TEST_BYTES)
    # mkstemp makes the file 0600.
    handle, path = tempfile.mkstemp(prefix=".preflight-", dir=place)
    try:
        with os.fdopen(handle, "w+b") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if file.read() != content:
                raise OSError("what was written does not read back the same")
    finally:
        Path(path).unlink(missing_ok=True)


def space(name: str, plan: Plan, bytes_per_s: float) -> Check:
    """Check that the disk holds the session, up to where a recorder stops for the lack of room.

    Parameters
    ----------
    name : str
    plan : Plan
    bytes_per_s : float
        What the streams that were found bring; 0: none was.
    """
    wanted, planned_s = plan.folder, plan.planned_s
    if wanted is None or not str(wanted).strip():
        return failed(name, "unknown without a folder", "say where recordings go")
    target = Path(wanted).expanduser().absolute()
    place = next((p for p in (target, *target.parents) if p.exists()), target)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return failed(name, f"unknown ({error.strerror or error})", "choose another folder")
    if free < plan.room_bytes:
        return failed(
            name,
            f"{_size(free)} free: recording stops at {_size(plan.stop_bytes)}, and a new file "
            f"needs {_size(plan.room_bytes)}",
            "free space, or choose another disk",
        )
    if not bytes_per_s:
        return ok(name, f"{_size(free)} free; no stream of a steady rate was found")
    left_s = (free - plan.stop_bytes) / bytes_per_s
    detail = (
        f"{_size(free)} free: {_minutes(left_s)} at {bytes_per_s / 1e3:.1f} kB/s, until "
        f"recording stops at {_size(plan.stop_bytes)}"
    ) + (f", {_minutes(planned_s)} are planned" if planned_s else "")
    needed_s = planned_s or 0.0
    if left_s <= max(needed_s, 60.0):
        return failed(name, detail, "free space, or choose another disk")
    if left_s < needed_s + _SPARE_S:
        return warning(name, detail, "free some: less than 10 min are to spare")
    return ok(name, detail)


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def _minutes(duration_s: float) -> str:
    minutes = duration_s / 60.0
    if minutes < 10:
        return f"{minutes:.1f} min"
    return f"{minutes:.0f} min" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
