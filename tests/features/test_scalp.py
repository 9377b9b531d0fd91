"""Where channels sit: order, neighbours, projection and interpolation."""

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bci.errors import ChannelError, SettingsError
from bci.features.scalp import Scalp, display_order, read_montage, side
from bci.sources.labels import SENSORIMOTOR

NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "T7", "C3", "Cz", "C4", "T8", "P3", "Pz", "P4", "O1", "O2")


def test_rows_go_from_left_to_right_and_from_front_to_back():
    """As names with standard places, and as places that are given; without one, last."""
    names = ["O2", "aux", "Cz", "C3", "Fp1", "Fz", "C4"]
    assert [names[row] for row in display_order(names)] == [
        "Fp1", "C3", "Fz", "Cz", "C4", "O2", "aux",
    ]  # fmt: skip
    mirrored = [None if name == "aux" else _mirrored(name) for name in names]
    found = [names[row] for row in display_order(names, mirrored)]
    assert found == ["C4", "O2", "Fz", "Cz", "Fp1", "C3", "aux"]
    assert side("C3", _mirrored("C3")) == "right"


def _mirrored(name: str) -> tuple[float, float, float]:
    x, y, z = Scalp.of([name]).places_m[0]
    return -float(x), float(y), float(z)


def test_seen_from_above_the_nose_is_up_and_left_is_left():
    """Cz in the middle, the outer ring inside of the outline, mirror images mirrored."""
    scalp = Scalp.of(NAMES)
    at = dict(zip(NAMES, scalp.points, strict=True))
    assert_allclose(at["Cz"], 0, atol=0.06)
    assert at["Fz"][1] > 0.2
    assert at["C3"][0] < -0.2
    for left, right in (("C3", "C4"), ("Fp1", "Fp2"), ("O1", "O2"), ("T7", "T8")):
        assert_allclose(at[left] * [-1, 1], at[right], atol=0.05)
    assert (np.linalg.norm(scalp.points, axis=1) < 1.0).all()


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_a_plane_is_interpolated_as_a_plane(coefficients):
    """But no pixel has more, or less, than any of the channels."""
    scalp = Scalp.of(NAMES)
    grid = scalp.grid(41)
    level, right, front = coefficients
    image = grid.image(level + scalp.points @ [right, front])
    axis = np.linspace(-1, 1, 41)
    plane = level + right * axis + front * axis[:, None]
    assert np.isfinite(image).sum() > 600
    values = level + scalp.points @ [right, front]
    within = np.clip(plane, values.min(), values.max())
    assert_allclose(image[grid.shown], within[grid.shown], atol=1e-6)
    assert np.isnan(image[~grid.shown]).all()


def test_maps_pass_through_the_channels():
    """The nearest pixel of a fine map has nearly the value of the channel."""
    scalp = Scalp.of(NAMES)
    values = np.random.default_rng(0).standard_normal(len(NAMES))
    image = scalp.grid(401).image(values)
    pixels = np.rint((scalp.points + 1) * 200).astype(int)
    assert_allclose(image[pixels[:, 1], pixels[:, 0]], values, atol=0.05)


def test_neighbours_are_mnes():
    """Triangulated as MNE does; mutual; none for channels that span no triangle."""
    scalp = Scalp.of(SENSORIMOTOR)
    found = scalp.neighbours()
    info = mne.create_info(list(SENSORIMOTOR), 100.0, "eeg")
    known = mne.channels.get_builtin_montages()  # MNE 1.13 renamed it
    info.set_montage("colin27_1005" if "colin27_1005" in known else "standard_1005")
    theirs, names = mne.channels.find_ch_adjacency(info, "eeg")
    assert tuple(names) == SENSORIMOTOR
    ours = np.eye(len(SENSORIMOTOR), dtype=bool)
    for channel, others in enumerate(found):
        ours[channel, others] = True
    assert (ours == ours.T).all()
    # Their places are projected before the head is moved, ours after: outermost pairs may differ.
    assert (ours == theirs.toarray().astype(bool)).mean() > 0.97
    assert "C1" in {SENSORIMOTOR[k] for k in found[SENSORIMOTOR.index("C3")]}
    assert Scalp.of(("C3", "Cz", "C4")).neighbours() == [[], [], []]


def test_a_montage_goes_before_standard_places(tmp_path):
    """MNE's by name, or a file; what it does not name, or is none, is said with near names."""
    biosemi = (
        Scalp.of(("A1", "B1"), montage="biosemi64")
        if "A1" in read_montage("biosemi64")
        else Scalp.of(("Fp1", "Cz"), montage="biosemi64")
    )
    assert biosemi.places_m.shape == (2, 3)
    path = tmp_path / "cap.sfp"
    path.write_text("FidNz 0 10 0\nFidT9 -8 0 0\nFidT10 8 0 0\nEEG1 -5 0 8\nEEG2 5 0 8\n", "utf-8")
    scalp = Scalp.of(("EEG1", "EEG2"), montage=str(path))
    assert scalp.places_m[0, 0] < 0 < scalp.places_m[1, 0]
    with pytest.raises(ChannelError, match=r"no place for EEG3.*give a montage"):
        Scalp.of(("EEG1", "EEG3"), montage=str(path))
    with pytest.raises(ChannelError, match=r"no place for C33 \(near names: .*C3"):
        Scalp.of(("C33", "Cz"))
    with pytest.raises(SettingsError, match=r"near: .*biosemi64"):
        read_montage("biosemi46")
    path.write_text("nonsense", "utf-8")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_montage(f"{path.parent}/./{path.name}")


def test_channels_in_one_line_span_no_map():
    """One line that says how many a map needs."""
    row = Scalp.of(("C3", "Cz", "C4"))
    assert not row.spans_a_map
    assert not Scalp.of(("C3", "C4")).spans_a_map
    assert Scalp.of(("C3", "Cz", "C4", "Fz")).spans_a_map
    with pytest.raises(ChannelError, match="three channels or more"):
        Scalp.of(("C3", "C4")).grid()
