"""The cache of steps: private, bounded, and never wrong."""

import logging
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bci.features.cache import Cache, Steps, content_hash, pack, read_arrays, unpack, write_arrays

ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["C3", "Cz"])}


def equal(a, b):
    """Say whether two dictionaries hold the same arrays."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_what_is_kept_comes_back(tmp_path):
    """The same arrays, under their name and key only."""
    cache = Cache(tmp_path / "made" / "cache")
    assert cache.get("power", "1" * 64) is None
    cache.put("power", "1" * 64, ARRAYS)
    assert equal(cache.get("power", "1" * 64), ARRAYS)
    assert cache.get("power", "2" * 64) is None
    assert cache.get("strength", "1" * 64) is None
    cache.clear()
    assert cache.get("power", "1" * 64) is None
    assert cache.n_bytes == 0


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing elsewhere")
def test_it_is_private(tmp_path):
    """The folder is 0700 and each file 0600: they hold what a brain does."""
    cache = Cache(tmp_path / "cache")
    cache.put("power", "1", ARRAYS)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in cache.folder.iterdir()] == [0o600]


def test_the_results_used_longest_ago_go_first(tmp_path):
    """Bounded: the newest stays, whatever its size; one that was read counts as used."""
    cache = Cache(tmp_path, max_bytes=3 * 9000)
    arrays = {"x": np.zeros(1000)}
    for k in range(3):
        cache.put("step", str(k), arrays)
        os.utime(tmp_path / f"step-{k}.npz", (k, k))
    assert cache.get("step", "0") is not None
    cache.put("step", "3", arrays)
    assert {path.name for path in tmp_path.iterdir()} == {
        "step-0.npz", "step-2.npz", "step-3.npz",
    }  # fmt: skip
    cache.put("step", "large", {"x": np.zeros(9000)})
    assert {path.name for path in tmp_path.iterdir()} == {"step-large.npz"}


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    """It is said in the log, and the result is there all the same."""
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file")
    steps = Steps(cache)
    steps.add("step", lambda: ARRAYS, None)
    with caplog.at_level(logging.WARNING, "bci.features.cache"):
        assert equal(steps["step"], ARRAYS)
    assert "cannot be kept" in caplog.text


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    """Neither a part of a file nor another one in its place."""
    write_arrays(tmp_path / "a.npz", ARRAYS)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        write_arrays(tmp_path / "a.npz", {"x": np.ones(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert equal(read_arrays(tmp_path / "a.npz"), ARRAYS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_never_taken_for_a_result(tmp_path, data):
    """One byte is another, or the end is missing: nothing, or the very same arrays."""
    cache = Cache(tmp_path)
    cache.put("step", "key", ARRAYS)
    path = tmp_path / "step-key.npz"
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
    else:
        path.write_bytes(content[:at])
    found = cache.get("step", "key")
    assert found is None or equal(found, ARRAYS)


def test_an_entry_that_holds_objects_is_not_unpickled(tmp_path):
    """A file that somebody else put there runs no code: it counts as damaged."""
    np.savez(tmp_path / "step-key.npz", x=np.array([{"a": 1}], dtype=object))
    assert Cache(tmp_path).get("step", "key") is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1), json_values, max_size=4)
)
def test_packing_and_unpacking_give_the_same(values):
    """Arrays as they are, the rest through JSON, tuples as tuples."""
    values.pop("x", None)
    values.pop("json", None)
    found = unpack(dict, pack({"x": np.arange(3), **values}))
    np.testing.assert_array_equal(found.pop("x"), np.arange(3))
    assert found == values


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_a_hash_is_of_the_content(values):
    """The order of a dictionary's keys is no content; a value that changes is."""
    turned = dict(reversed(list(values.items())))
    assert content_hash(values) == content_hash(turned)
    assert content_hash({**values, "new": 1}) != content_hash({**values, "new": 2})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold_has_no_hash(value):
    """Two readers of such a document would not agree on it."""
    with pytest.raises(ValueError, match="JSON"):
        content_hash({"value": value})


def test_a_step_is_computed_once_and_only_when_asked_for(tmp_path):
    """Steps chain: a changed parameter changes the keys of what builds on it."""

    def steps(parameter: int) -> Steps:
        made = Steps(Cache(tmp_path))
        made.add("first", lambda: {"x": np.array([parameter])}, parameter)
        made.add("second", lambda: {"x": made["first"]["x"] + 1}, None, ["first"])
        made.add("other", lambda: {"x": np.zeros(1)}, None)
        return made

    one = steps(1)
    assert one.computed == []
    assert one["second"]["x"] == one["second"]["x"] == 2
    assert one.computed == ["first", "second"]
    again = steps(1)
    assert again["second"]["x"] == 2
    assert again.computed == []
    two = steps(2)
    assert two["second"]["x"] == 3
    assert two.computed == ["first", "second"]
    assert one["other"]["x"] == two["other"]["x"]
    assert two.computed == ["first", "second"]
