"""Files 0600, folders 0700, whatever the umask; that of a whole session is in `cli/test_demo`."""

import logging
import os
from pathlib import Path

import pytest

from bci.private import PrivateLog, private_folder, private_opener

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on Windows")


def modes(folder: Path) -> dict[str, int]:
    """Return what others may do with each thing in a folder; empty when nothing."""
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o077
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    }


def test_folders_above_are_private_too_and_those_that_are_there_stay(tmp_path):
    """`mkdir` would give the mode to the last of them alone."""
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert not modes(tmp_path)
    assert private_folder(tmp_path) == tmp_path
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path):
    """It is not silently something else."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        private_folder(tmp_path / "taken")


def test_the_log_is_private_before_and_after_it_rotates(tmp_path):
    """It may name the files of a person."""
    tmp_path.chmod(0o700)
    before = os.umask(0)
    handler = PrivateLog(tmp_path / "rolandic.log", maxBytes=100, backupCount=2, encoding="utf-8")
    try:
        for number in range(10):
            handler.emit(logging.makeLogRecord({"msg": f"{number} {'x' * 60}"}))
    finally:
        handler.close()
        os.umask(before)
    assert len(list(tmp_path.iterdir())) == 3
    assert not modes(tmp_path)


def test_a_file_that_is_there_keeps_its_content(tmp_path):
    """The opener opens as `open` does."""
    path = tmp_path / "x"
    path.write_text("a")
    with open(path, "a", opener=private_opener) as file:
        file.write("b")
    assert path.read_text() == "ab"
