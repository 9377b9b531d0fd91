"""How far LSL reaches: each test in processes of its own, since liblsl reads its settings once."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

SEND = """
import sys, pylsl
from bci.config import LslSettings
from bci.sources.lsl_config import configure_lsl
configure_lsl(LslSettings(**{settings}))
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("s", "EEG", 1, 100.0, "float32", sys.argv[1]))
print("there", flush=True)
sys.stdin.read()
"""
FIND = """
import subprocess, sys
from bci.config import LslSettings
from bci.sources.discovery import StreamQuery, find_streams
from bci.sources.lsl_config import configure_lsl
configure_lsl(LslSettings(**{settings}))
print(len(find_streams(StreamQuery(source_id=sys.argv[1]), 1.0)), flush=True)
"""
#: The settings come from the process that starts this one.
HEIR = """
import subprocess, sys
from bci.config import LslSettings
from bci.sources.lsl_config import configure_lsl
configure_lsl(LslSettings(**{settings}))
code = '''
import sys
from bci.sources.discovery import StreamQuery, find_streams
from bci.sources.lsl_config import lsl_settings
print(len(find_streams(StreamQuery(source_id=sys.argv[1]), 1.0)), lsl_settings().session_id)
'''
print(subprocess.run([sys.executable, "-c", code, sys.argv[1]], stdout=-1, text=True).stdout)
"""


def run(code: str, *arguments: str, cwd: Path | None = None, **environment: str) -> str:
    """Run Python, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=cwd,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() + done.stderr.strip()


@pytest.mark.parametrize(
    ("ours", "theirs", "n_found"),
    [
        ({}, {}, "1"),
        ({"session_id": "ours"}, {}, "0"),
        ({"session_id": "ours"}, {"session_id": "ours"}, "1"),
        ({"base_port": 17100, "multicast_port": 17099}, {}, "0"),
        ({"known_peers": ("127.0.0.1", "::1")}, {}, "1"),
    ],
)
def test_streams_of_another_session_or_of_other_ports_are_not_seen(ours, theirs, n_found):
    """The settings reach liblsl: a sender with these, a search with those."""
    source_id = f"reach-{uuid.uuid4().hex}"
    with subprocess.Popen(
        [sys.executable, "-c", SEND.replace("{settings}", repr(theirs)), source_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "there\n"
        assert run(FIND.replace("{settings}", repr(ours)), source_id) == n_found
        if ours == theirs:
            heir = run(HEIR.replace("{settings}", repr(ours)), source_id)
            assert heir == f"1 {ours.get('session_id', 'default')}"
        sender.communicate()


def test_other_settings_come_too_late_once_lsl_was_used():
    """They would not hold: said, not ignored. The same again is harmless."""
    code = """
from bci.config import LslSettings
from bci.errors import SettingsError
from bci.sources.lsl_config import configure_lsl
print(configure_lsl(), configure_lsl(), configure_lsl(LslSettings()))
try:
    configure_lsl(LslSettings(scope="link"))
except SettingsError as error:
    print(error)
"""
    assert run(code).splitlines() == [
        "True True True",
        "LSL was used in this process before, with other settings: start again to change its "
        "scope, session or peers",
    ]


def test_a_file_of_the_user_wins_and_that_is_said(tmp_path):
    """Settings that differ from the default do not hold then: a warning names the file."""
    (tmp_path / "lsl_api.cfg").write_text("[multicast]\nResolveScope = machine\n")
    code = """
import logging
logging.basicConfig(level=logging.WARNING, format="%(message)s")
from bci.config import LslSettings
from bci.sources.lsl_config import configure_lsl, lsl_settings
print(configure_lsl(LslSettings(scope="link")), lsl_settings(), flush=True)
"""
    said = run(code, cwd=tmp_path)
    assert said.startswith("False None")
    assert "lsl_api.cfg decides about LSL" in said


def test_settings_that_are_inherited_damaged_are_refused():
    """A message names the variable; liblsl never sees its text."""
    code = "from bci.sources.lsl_config import configure_lsl; configure_lsl()"
    said = run(code, ROLANDIC_LSL='{"session_id": "a\\n[ports]"}')
    assert "SettingsError: the environment variable ROLANDIC_LSL holds no settings" in said


def test_searches_end_in_time_and_leave_ports_to_outlets():
    """Eight at once, of 0.4 s: none is held up by liblsl for the 5 s that it would listen on.

    A search that goes on holds few of the 32 ports that outlets need.
    """
    code = """
import time
from concurrent.futures import ThreadPoolExecutor
import psutil, pylsl
from bci.sources.discovery import find_streams
from bci.sources.lsl_config import configure_lsl
configure_lsl()
described = [pylsl.StreamInfo(f"s{n}", "x", 1, 1, "int8", f"s{n}") for n in range(8)]
outlets = list(map(pylsl.StreamOutlet, described))
def search(_):
    began = time.monotonic()
    find_streams(timeout_s=0.4)
    return time.monotonic() - began
with ThreadPoolExecutor(8) as pool:
    slowest = max(pool.map(search, range(24)))
outlets.clear()
search = pylsl.ContinuousResolver(pred="type='nothing'")
most = 0
for _ in range(40):
    time.sleep(0.05)
    held = psutil.Process().net_connections("inet")
    most = max(most, sum(16572 <= port.laddr[1] <= 16603 for port in held if port.laddr))
print(slowest < 2.0, most <= 8, slowest, most)
"""
    said = run(code)
    assert said.startswith("True True"), said
