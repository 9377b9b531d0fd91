"""How old a sample is when its device stamps it: what LSL cannot see, as somebody measured it.

Measured with the amplifier's own trigger input, 7.7 ms (BioSemi) to 51.6 ms (BrainAmp) were found.
One JSON file in the user's configuration folder keeps the offset of each device, by the name of its
stream or by that and the host that sends it, since a driver's settings and buffers are part of it.
"""

import json
import logging
from pathlib import Path
from xml.etree import ElementTree as ET

import platformdirs

from bci.errors import SettingsError
from bci.private import private_folder, write_private
from bci.sources.base import StreamInfo

__all__ = [
    "device_offset_s",
    "forget_offset",
    "offsets_path",
    "read_offsets",
    "store_offset",
    "with_device_offset",
]

_log = logging.getLogger(__name__)

_VERSION = 1
#: No device is this far behind; more is a slip of the unit.
_MOST_S = 2.0


def offsets_path() -> Path:
    """Return the file of all offsets."""
    return Path(platformdirs.user_config_dir("rolandic", appauthor=False)) / "offsets.json"


def read_offsets(path: Path | None = None) -> dict[str, float]:
    """Return the stored offsets (s) by ``NAME`` or ``NAME@HOST``.

    Raises
    ------
    SettingsError
        When the file is not one of ours.
    """
    path = path or offsets_path()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        offsets = {str(name): float(value) for name, value in document["offsets_s"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path} does not hold offsets of devices ({error}): mend or delete it"
        ) from error
    return offsets


def device_offset_s(info: StreamInfo, path: Path | None = None) -> float | None:
    """Return the offset (s) of a stream's device; None where none is stored.

    One stored for its host goes before one stored for its name alone.
    """
    return _lookup(read_offsets(path), info.name, info.hostname)


def with_device_offset(xml: str, path: Path | None = None) -> str:
    """Return a stream's description with the offset of its device in it, where one is stored.

    It stands in ``desc/rolandic/amplifier_offset_s``. A file of offsets that cannot be read is
    logged and changes nothing: a recording is worth more.
    """
    try:
        offsets = read_offsets(path)
    except SettingsError as error:
        _log.warning("%s", error)
        return xml
    root = ET.fromstring(xml)
    offset_s = _lookup(offsets, root.findtext("name") or "", root.findtext("hostname") or "")
    if offset_s is None:
        return xml
    desc = root.find("desc")
    desc = ET.SubElement(root, "desc") if desc is None else desc
    ours = ET.SubElement(desc, "rolandic")
    ET.SubElement(ours, "amplifier_offset_s").text = repr(offset_s)
    return f'<?xml version="1.0"?>\n{ET.tostring(root, encoding="unicode")}'


def _lookup(offsets: dict[str, float], name: str, hostname: str) -> float | None:
    return offsets.get(f"{name}@{hostname}", offsets.get(name))


def store_offset(device: str, offset_s: float, path: Path | None = None) -> None:
    """Store the offset of a device.

    Parameters
    ----------
    device : str
        The name of its stream; ``NAME@HOST`` for one host alone.
    offset_s : float
    path : Path, optional

    Raises
    ------
    SettingsError
        For no name, or an offset that no device has, or a file that cannot be written.
    """
    if not device:
        raise SettingsError("name the stream whose offset this is, such as --set-offset NAME=7.7ms")
    if not 0 <= offset_s <= _MOST_S:
        raise SettingsError(
            f"offset {1e3 * offset_s:g} ms of {device!r}: give 0 to {1e3 * _MOST_S:g} ms"
        )
    _write(read_offsets(path) | {device: offset_s}, path or offsets_path())


def forget_offset(device: str, path: Path | None = None) -> None:
    """Forget the offset of a device.

    Raises
    ------
    SettingsError
        When none is stored.
    """
    offsets = read_offsets(path)
    if device not in offsets:
        known = ", ".join(map(repr, sorted(offsets))) or "none"
        raise SettingsError(f"no offset of {device!r} is stored; stored are: {known}")
    rest = {name: value for name, value in offsets.items() if name != device}
    _write(rest, path or offsets_path())


def _write(offsets: dict[str, float], path: Path) -> None:
    """Replace the file whole: a reader sees the old or the new."""
    text = json.dumps({"version": _VERSION, "offsets_s": offsets}, indent=2, sort_keys=True)
    try:
        private_folder(path.parent)
        write_private(path, f"{text}\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
