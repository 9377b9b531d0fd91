"""Electrode names."""

import subprocess
import sys

import numpy as np
import pytest

from bci.errors import ChannelError
from bci.sources.labels import canonical_label, match_channels, standard_position


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("Fc5.", "FC5"),
        ("Fcz.", "FCz"),
        ("C3..", "C3"),
        ("CZ", "Cz"),
        (" fp1 ", "Fp1"),
        ("EEG Fp1-Ref", "Fp1"),
        ("EEG C3", "C3"),
        ("EEG O2-LE", "O2"),
        ("C4-AVG", "C4"),
        ("AFP3H", "AFp3h"),
        ("T3", "T3"),
    ],
)
def test_a_known_electrode_gets_the_montages_spelling(declared: str, expected: str) -> None:
    """Dots, case, an EEG prefix and a common reference do not make another electrode."""
    assert canonical_label(declared) == expected


@pytest.mark.parametrize(
    "declared", ["Fp1-F7", "C3-A1", "ch1", "EEG 1", "Xx.", "EEG", "", "STATUS", "-Ref"]
)
def test_an_unknown_label_stays_as_declared(declared: str) -> None:
    """A derivation, a number or another signal is never taken for an electrode."""
    assert canonical_label(declared) == declared


def test_channels_are_matched_by_name_in_any_order() -> None:
    """The indices follow the wanted order, whatever the spelling on either side."""
    found = match_channels(["C4", "EEG C3-Ref", "amp7"], ["amp7", "C3..", "Cz..", "c4.."])
    np.testing.assert_array_equal(found, [3, 1, 0])


def test_missing_channels_are_all_named_with_the_nearest() -> None:
    """The message names each missing channel, its old name where that is there, and near ones."""
    with pytest.raises(ChannelError) as caught:
        match_channels(["C3", "T7", "FCC3h"], ["C3", "FC3", "T3"])
    message = str(caught.value)
    assert "no channel T7, FCC3h" in message
    assert "T3" in message
    assert "FC3" in message
    assert "\n" not in message


def test_with_nothing_near_the_channels_that_are_there_are_listed() -> None:
    """A stream of nameless channels says so, shortened where there are many."""
    with pytest.raises(ChannelError, match=r"there are: ch1, ch2, .* and 8 more"):
        match_channels(["POz"], [f"ch{i}" for i in range(1, 21)])


def test_a_name_that_stands_for_two_channels_is_refused() -> None:
    """Neither of two channels of one name is taken by chance, and none is taken twice."""
    with pytest.raises(ChannelError, match="several channels are called C3"):
        match_channels(["C3"], ["C3", "c3..", "C4"])
    with pytest.raises(ChannelError, match="C3 is wanted more than once"):
        match_channels(["C3", "C3.."], ["C3"])


def test_positions_are_in_head_coordinates() -> None:
    """Cz is at the top, C3 to the left, Fz in front; the ears lie at height zero."""
    places = {name: standard_position(name) for name in ("Cz", "C3..", "Fz", "C4")}
    assert all(place is not None for place in places.values())
    top, left, front = (np.array(places[name]) for name in ("Cz", "C3..", "Fz"))
    assert 0.08 < top[2] < 0.16
    assert abs(top[0]) < 0.005
    assert left[0] < -0.04
    assert front[1] > top[1] + 0.03
    assert standard_position("ch1") is None


def test_importing_the_sources_does_not_import_mne() -> None:
    """A live source starts without MNE: it is loaded when a name is first looked up."""
    code = (
        "import sys, bci.sources.labels, bci.sources.units, bci.sources.reading, "
        "bci.sources.playback, bci.sources.mne_files; sys.exit('mne' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
