"""The spherical head: what it says of fields, and how it is kept."""

import logging
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import platformdirs
import pytest

from bci.errors import ChannelError, SettingsError
from bci.sources import headmodel
from bci.sources.headmodel import MONTAGES, head_model, montage_labels

UPRIGHT = np.zeros(3)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the lead field in a folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: folder)
    head_model.cache_clear()
    yield folder
    head_model.cache_clear()


@pytest.mark.parametrize("name", ["C3", "C4", "Cz", "Oz", "Fz"])
def test_an_upright_patch_is_seen_best_from_above(name: str) -> None:
    """The field of a gyrus peaks, positive, at the electrode over it."""
    head = head_model()
    field = head.patch(head.electrode_direction(name), 0.008, UPRIGHT)
    assert head.labels[int(np.argmax(field))] == name
    assert field.max() == pytest.approx(1.0)


def test_fields_are_against_linked_mastoids() -> None:
    """The mean of M1 and M2 is zero in any field."""
    head = head_model()
    field = head.patch(head.electrode_direction("C3"), 0.01, np.array([0.4, -0.3, 0.2]))
    assert field[head.index(["M1", "M2"])].mean() == pytest.approx(0.0, abs=1e-12)


def test_skull_smears_the_field_over_centimetres() -> None:
    """A centimetre-wide patch under C3 is seen at half strength some 4 cm off, and far off not."""
    head = head_model()
    field = head.patch(head.electrode_direction("C3"), 0.005, UPRIGHT)
    at = dict(zip(head.labels, field, strict=True))
    assert 0.2 < at["C1"] < 0.9
    assert 0.2 < at["FC3"] < 0.9
    assert abs(at["C4"]) < 0.15
    assert abs(at["Oz"]) < 0.15


def test_a_blink_is_frontal_and_falls_off_backwards() -> None:
    """The eyes' field is largest at the forehead, and weaker with every step back."""
    head = head_model()
    field = head.eyes()[head.index(["Fpz", "AFz", "Fz", "Cz", "Oz"])]
    assert field[0] > 0.95
    assert np.all(np.diff(field) < 0)


def test_lead_field_is_that_of_mne_for_a_single_dipole() -> None:
    """A column of the lead field equals `mne.make_forward_dipole` of that dipole."""
    head = head_model()
    source = 40
    direction = head.directions[source]
    sphere = mne.make_sphere_model(
        headmodel.CENTRE_M, head_radius=headmodel.RADIUS_M, verbose="error"
    )
    labels = [head.labels[row] for row in range(0, len(head.labels), 40)]
    info = mne.create_info(labels, 100.0, "eeg", verbose="error")
    for channel, label in zip(info["chs"], labels, strict=True):
        channel["loc"][:3] = head.positions_m[head.index([label])[0]]
    dipole = mne.Dipole(
        times=[0.0],
        pos=(np.array(headmodel.CENTRE_M) + headmodel.CORTEX_RADIUS_M * direction)[None],
        amplitude=[1.0],
        ori=direction[None],
        gof=[100.0],
        verbose="error",
    )
    with info._unlock():  # noqa: SLF001 - MNE has no public way to place electrodes by hand
        info["dev_head_t"] = mne.transforms.Transform("meg", "head")
    forward, _ = mne.make_forward_dipole(dipole, sphere, info, verbose="error")
    expected = forward["sol"]["data"][:, 0]
    ours = head.gain[head.index(labels), source] @ direction
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_cache_holds_what_was_computed(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process reads the file instead of computing, and gets the same numbers."""
    first = head_model().gain.copy()
    files = list(cache_folder.iterdir())
    assert [file.suffix for file in files] == [".npy"]
    head_model.cache_clear()
    monkeypatch.setattr(headmodel, "_compute", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(head_model().gain, first)


def test_a_broken_cache_file_is_replaced(
    cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A cut file is logged, computed anew and written whole."""
    first = head_model().gain.copy()
    (file,) = cache_folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    head_model.cache_clear()
    with caplog.at_level(logging.WARNING, "bci.sources.headmodel"):
        np.testing.assert_array_equal(head_model().gain, first)
    assert "computing it anew" in caplog.text
    assert file.read_bytes() == whole


def test_a_cache_file_of_another_shape_is_replaced(cache_folder: Path) -> None:
    """A file under the right name with the wrong contents is not believed."""
    shape = head_model().gain.shape
    (file,) = cache_folder.iterdir()
    np.save(file, np.zeros((2, 3)))
    head_model.cache_clear()
    assert head_model().gain.shape == shape


def test_a_cache_that_cannot_be_written_is_done_without(cache_folder: Path) -> None:
    """Where the folder cannot be made, the model is there all the same, and nothing is left."""
    cache_folder.write_text("a file where the folder should be")
    assert np.isfinite(head_model().gain).all()
    assert cache_folder.is_file()


def test_cache_key_depends_on_every_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another geometry is another file."""
    head = head_model()
    names = {headmodel._cache_path(head.positions_m, head.directions).name}  # noqa: SLF001
    for name in ("RADIUS_M", "CORTEX_RADIUS_M", "EYE_RADIUS_M", "VERSION"):
        with monkeypatch.context() as patched:
            patched.setattr(headmodel, name, 2)
            path = headmodel._cache_path(head.positions_m, head.directions)  # noqa: SLF001
            names.add(path.name)
    assert len(names) == 5


@pytest.mark.parametrize(("name", "n"), [("sensorimotor", 22), ("standard-64", 64)])
def test_named_montages_hold_known_electrodes_once(name: str, n: int) -> None:
    """A named montage has as many different 10-5 electrodes as it says."""
    assert len(set(MONTAGES[name])) == n
    assert set(MONTAGES[name]) <= set(head_model().labels)


@pytest.mark.parametrize(
    ("montage", "error", "words"),
    [
        ("standard-63", SettingsError, "'standard-63'"),
        (("C3", "X9"), ChannelError, "'X9'"),
        (("C3", "c3"), ChannelError, "C3"),
        ((), SettingsError, "at least one"),
    ],
)
def test_bad_montage_is_named(
    montage: str | tuple[str, ...], error: type[Exception], words: str
) -> None:
    """What cannot be a montage is refused in one line that names it."""
    with pytest.raises(error, match=words) as caught:
        montage_labels(montage)
    assert "\n" not in str(caught.value)
