"""What pre-flight says of the folder and the space in it."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from bci.preflight import Plan, examine
from bci.preflight.place import folder, space

posix = pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on Windows")


@pytest.mark.parametrize("unset", [None, "", "  "])
def test_a_folder_that_is_not_set_is_refused(unset):
    """An empty setting is not the current folder, in which recordings went astray."""
    check = folder("folder", unset)
    assert (check.status, check.detail) == ("failed", "no folder is set")
    assert space("space", Plan(unset, (), 60.0), 1e4).status == "failed"


def test_a_file_is_really_written_and_taken_away_again(tmp_path):
    """The folder is as it was; one that is to be made is tried in the folder above."""
    tmp_path.chmod(0o700)
    assert folder("folder", tmp_path).status == "ok"
    check = folder("folder", tmp_path / "new")
    assert check.status == "ok"
    assert "made at the start" in check.detail
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_not_there_fails(tmp_path):
    """Neither the folder nor its parent: a disk that is not mounted is not filled in its place."""
    check = folder("folder", tmp_path / "disk" / "recordings")
    assert check.status == "failed"
    assert "mount" in check.advice


def test_a_file_in_its_place_fails(tmp_path):
    """The name is taken."""
    (tmp_path / "taken").write_text("")
    assert "is no folder" in folder("folder", tmp_path / "taken").detail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_fails_with_its_reason(monkeypatch, tmp_path, number):
    """Full, read-only or broken: said in the system's words, and nothing is left behind."""

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    check = folder("folder", tmp_path)
    assert check.status == "failed"
    assert os.strerror(number) in check.detail
    assert not list(tmp_path.iterdir())


@posix
def test_a_folder_that_others_can_look_into_warns(tmp_path):
    """The files are private all the same, but their names tell."""
    tmp_path.chmod(0o755)
    check = folder("folder", tmp_path)
    assert check.status == "warning"
    assert check.advice == f"chmod 700 {tmp_path}"


@pytest.mark.parametrize(
    ("free", "status", "words"),
    [
        (3500e4, "failed", "35 MB free: 44 min"),
        (4800e4, "warning", "66 min"),
        (9840e4, "ok", "150 min at 10.0 kB/s, until recording stops at 8 MB, 60 min are planned"),
    ],
)
def test_room_is_told_in_minutes_of_these_streams(monkeypatch, tmp_path, free, status, words):
    """Too little for the plan fails; less than ten minutes to spare warns."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    check = space("space", Plan(tmp_path, (), 3600.0), 1e4)
    assert check.status == status
    assert words in check.detail


def test_without_a_plan_the_minutes_are_told_all_the_same(monkeypatch, tmp_path):
    """Too little for a file to be begun is none at all, also when no stream is there yet."""
    plan = Plan(tmp_path, ())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=30e6))
    for bytes_per_s in (0.0, 1e4):
        check = space("space", plan, bytes_per_s)
        assert check.status == "failed"
        assert "30 MB free: recording stops at 8 MB, and a new file needs 34 MB" in check.detail
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    assert space("space", plan, 1e4).status == "ok"


def test_a_plan_without_streams_fails():
    """There is nothing to record."""
    by_name = {check.name: check for check in examine(Plan(Path(), ()))}
    assert by_name["streams"].status == "failed"
    assert set(by_name) == {"folder", "network", "streams", "space"}
