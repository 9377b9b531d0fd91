"""Fuzzing of the daemon's settings file: ten thousand files (--soak), or five hundred."""

import gc
import logging
import random
import re
import time
import tomllib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bci.daemon.settings import DaemonSettings, load_settings
from bci.errors import SettingsError

SEED = 20_250_606
TOKEN = "q7Vx-2mR8_kP4wLz9TnB"
#: Every table, so that every table is mutated.
FULL = f"""\
# A settings file with everything in it.
[workspace]
folder = "workspace"
subject = "S01"
session = "pre"
task = "imagery"

[[streams]]
name = "EEG"
kind = 'EEG'
source_id = "amp-1"
use = "eeg"
rate_hz = 500.0
n_channels = 32
unit = "microvolts"

[[streams]]
predicate = "type='Markers' and name='Cues'"
use = "markers"
required = false

[recording]
sync_s = 1.0
silent_s = 0.8
at_start = true
planned_h = 2
disk_warn_s = [600.0, 60.0]
template = "%p/%s_%b_%r.xdf"

[decoding]
model = "model.bci"
hop_s = 0.1
smoothing = "evidence"
threshold = 0.6

[quality]
mains_hz = 60.0

[lsl]
scope = "link"
known_peers = ["amplifier-pc", "192.0.2.7"]

[remote]
enabled = true
address = "192.168.1.5"
port = 22345
token = "{TOKEN}"
allow = ["192.168.1.0/24"]
roots = ['C:\\Data\\']
"""
VALUES = (
    *("-1", "0", "1e400", "nan", "-inf", "1e-320", "99999999999999999999", "0x10", "true", "[]"),
    *("{}", '""', "'x'", '"""a\nb"""', "1979-05-27", "[[1, 2], 3]", "{a = {b = 1}}", '"\\u0000"'),
    *('"../../etc"', '"/"', "'C:\\x'", '"~nobody/x"', '"Anna Schmidt"', '"1984-03-12"', '"CON"'),
    *('"\\U0001F600"', '"{run}"', '"a' + "b" * 5000 + '"', "[" * 200 + "]" * 200),
)
PIECES = (
    *("[", "]", "[[", "]]", "=", '"', "'", '"""', "'''", "#", "\n", "\r", "\r\n", "\t", ",", "."),
    *("{", "}", "\\", "\x00", "\x7f", "\ufeff", "\u202e", "é", "[x]\n", "[[streams]]\n", "a=1\n"),
    *("[workspace]\n", "folder = 1\n", "streams.name = 2\n", "[lsl.x]\n", "__class__ = 1\n"),
)


def mutated(text: str, rng: random.Random) -> bytes:
    """Return a file after a few random edits: of values, lines, characters, and bytes."""
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        edit: Callable[[], object] = rng.choice(
            (
                lambda at=at: lines.__setitem__(
                    at, re.sub("=.*", lambda _: f"= {rng.choice(VALUES)}", lines[at])
                ),
                lambda at=at: lines.__setitem__(
                    at, re.sub("=.*", lambda _: f"= {rng.choice(VALUES)}", lines[at])
                ),
                lambda at=at: lines.pop(at) if len(lines) > 1 else None,
                lambda at=at: lines.insert(at, rng.choice(lines)),
                lambda at=at: lines.insert(rng.randrange(len(lines)), lines.pop(at)),
                lambda at=at: lines.insert(at, rng.choice(PIECES)),
                lambda at=at: lines.__setitem__(at, _edited(lines[at], rng)),
            )
        )
        edit()
    changed = bytearray("\n".join(lines).encode("utf-8"))
    if rng.random() < 0.1 and changed:
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    if rng.random() < 0.05:
        del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


def _edited(line: str, rng: random.Random) -> str:
    at = rng.randrange(len(line) + 1)
    return line[:at] + rng.choice(PIECES) + line[at + rng.choice((0, 0, 1, 5)) :]


def check_settings(settings: DaemonSettings, data: bytes) -> None:
    """Check what must hold for settings that were accepted, whatever the file."""
    document = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    assert len(settings.streams) == len(document["streams"])
    assert settings.workspace.subject == document["workspace"]["subject"]
    assert settings.workspace.folder.is_absolute()
    assert re.fullmatch("[A-Za-z0-9]+", settings.workspace.subject)
    template = settings.recording.template
    assert template == "" or (template.endswith(".xdf") and ".." not in template)
    assert TOKEN not in repr(settings)
    remote = settings.remote
    assert remote.address == "127.0.0.1" or (remote.token and remote.allow) or _loopback(settings)


def _loopback(settings: DaemonSettings) -> bool:
    return settings.remote.address.startswith("127.") or settings.remote.address == "::1"


def check_message(message: str, path: Path) -> None:
    """Check that a refusal is one readable line that names the file and no secret."""
    assert message.startswith(str(path))
    assert message.isprintable(), ascii(message)
    assert len(message) < 2500
    assert TOKEN not in message
    assert "Error" not in message
    assert "pydantic" not in message


@pytest.mark.slow
def test_settings_are_read_right_or_refused_in_one_line(
    tmp_path: Path, soak: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A mutated file is read as it says or refused with the line; quickly, and in little memory."""
    caplog.set_level(logging.WARNING)
    rng = random.Random(SEED)
    shipped = Path(__file__).resolve().parents[2] / "packaging" / "session.toml"
    texts = [FULL, FULL, shipped.read_text(encoding="utf-8")]
    path = tmp_path / "session.toml"
    for text in texts:
        path.write_text(text, encoding="utf-8")
        check_settings(load_settings(path), text.encode())
    n_good = n_bad = n_with_line = 0
    slowest_s = 0.0
    tracemalloc.start()
    for _ in range(10_000 if soak else 500):
        data = mutated(rng.choice(texts), rng)
        path.write_bytes(data)
        began = time.perf_counter()
        try:
            settings = load_settings(path)
        except SettingsError as error:
            n_bad += 1
            n_with_line += " line " in str(error)
            check_message(str(error), path)
        else:
            n_good += 1
            check_settings(settings, data)
        slowest_s = max(slowest_s, time.perf_counter() - began)
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert min(n_good, n_bad) > (n_good + n_bad) / 20, "the mutations are all good or all bad"
    assert n_with_line > 0.8 * n_bad, f"{n_with_line} of {n_bad} messages name a line"
    assert slowest_s < 2
    assert peak < 20e6
    assert kept < 2e6
    assert caplog.records == []
    assert sorted(tmp_path.iterdir()) == [path], "reading settings makes no files"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\xff\xfe[\x00", b"[" * 100_000, b"a" * (2 << 20), b'a = """', b"a.b" * 9000],
    ids=["empty", "nul", "utf16", "nested", "large", "unclosed", "dotted"],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, data: bytes) -> None:
    """Each in one line, at once."""
    path = tmp_path / "session.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError) as failure:
        load_settings(path)
    check_message(str(failure.value), path)
