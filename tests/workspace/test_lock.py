"""One window a session, and nobody locked out by a crash."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bci.errors import SettingsError
from bci.workspace import SessionLock

HOLDER = """
import sys, time
from pathlib import Path
from bci.workspace.lock import SessionLock

if __name__ == "__main__":
    lock = SessionLock(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    """Within one process as between two; after the first has let go the way is free."""
    folder = tmp_path / "sub-S01" / "ses-01"
    folder.mkdir(parents=True)
    first = SessionLock(folder)
    with pytest.raises(SettingsError, match="sub-S01 ses-01 is open in another window") as caught:
        SessionLock(folder, closing_s=0.0)
    assert f"process {os.getpid()}" in str(caught.value)
    first.close()
    first.close()
    SessionLock(folder, closing_s=0.0).close()


def test_a_killed_holder_locks_nobody_out(tmp_path: Path) -> None:
    """What kill -9 leaves behind is a file, and no lock."""
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    holder = subprocess.Popen([sys.executable, script, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(SettingsError, match=f"process {holder.pid} on "):
        SessionLock(tmp_path)  # another process is not waited for
    holder.kill()
    holder.wait()
    holder.stdout.close()
    before = time.monotonic()
    SessionLock(tmp_path).close()
    assert time.monotonic() - before < 1.0
