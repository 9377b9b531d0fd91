"""An analysis: what it shows is right, and computed once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import EpochSettings
from bci.errors import InputError
from bci.features.analysis import Analysis, AnalysisSettings, analyse
from bci.features.cache import Cache, recording_content
from bci.features.connectivity import connectivity, node_strength
from bci.features.settings import ConnectivitySettings, SpectrumSettings
from bci.features.spatial import spatial_filter
from bci.features.spectra import frequencies, spectra
from bci.signal.epochs import cut_epochs
from bci.sources.reading import open_recording
from bci.sources.recording import Recording

LABELS = ("FC3", "FCz", "FC4", "C3", "Cz", "C4", "CP3", "CP4")
RATE_HZ = 100.0
EPOCHS = EpochSettings(band_hz=(2.0, 45.0), window_s=(0.5, 2.5))
SETTINGS = AnalysisSettings(
    epochs=EPOCHS,
    features=("C4;10:12",),
    n_bootstraps=10,
    n_shuffles=40,
    erds={"n_bootstraps": 100, "step_hz": 2.0},
    erds_channels=("C4",),
)


@pytest.fixture(scope="module")
def recording(made: Callable[..., Recording]) -> Recording:
    """Return a recording with a planted difference."""
    return made()


@pytest.fixture(scope="module")
def analysis(recording: Recording) -> Analysis:
    """Return its analysis."""
    return analyse([recording], SETTINGS)


def same(a: Analysis, b: Analysis) -> None:
    """Check that two analyses hold the same bits."""
    assert a.steps.keys() == b.steps.keys()
    for step, arrays in a.steps.items():
        assert arrays.keys() == b.steps[step].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, b.steps[step][name], err_msg=f"{step}.{name}")


def test_the_planted_channel_and_band_are_suggested_first(analysis):
    """11 Hz at C4, more of it in the second class, in nearly every draw of the trials."""
    first = analysis.suggestions[0]
    assert first.feature.channel == "C4"
    assert first.feature.kind == "psd"
    assert first.feature.low_hz <= 11 <= first.feature.high_hz
    assert first.r2 > 0.5
    assert first.d > 1
    assert first.p < 1e-3
    assert first.stability == 1.0
    assert first.r2 > analysis.power.contrast.chance_largest_r2
    assert analysis.n_trials == {"left_hand": 12, "right_hand": 12}


def test_values_are_those_of_the_functions_that_make_them(recording, analysis):
    """Power and node strength of each trial, and mean matrices, computed here step by step."""
    epochs = cut_epochs([recording], EPOCHS)
    X = spatial_filter("auto", LABELS) @ epochs.X
    found = spectra(X, RATE_HZ, SpectrumSettings())
    np.testing.assert_allclose(analysis.power.values, found.log_power, rtol=1e-9)
    np.testing.assert_array_equal(analysis.power.freqs_hz, found.freqs_hz)
    settings = ConnectivitySettings()
    whole = connectivity(X, RATE_HZ, frequencies(SpectrumSettings()), settings)
    np.testing.assert_allclose(
        analysis.strength.values, node_strength(np.abs(whole.values)), rtol=1e-9, atol=1e-12
    )
    for k in range(2):
        mean = whole.values[epochs.trial_y == k].mean(axis=0)
        np.testing.assert_allclose(analysis.matrices[k], mean, rtol=1e-9, atol=1e-12)
    assert analysis.n_pieces == whole.n_pieces


@given(st.integers(0, len(LABELS) - 1), st.integers(0, 36))
def test_r2_is_that_of_a_regression(analysis, channel, freq):
    """The squared correlation with the class, signed by it."""
    r = np.corrcoef(analysis.power.values[:, channel, freq], analysis.y)[0, 1]
    assert analysis.power.contrast.r2[channel, freq] == pytest.approx(np.sign(r) * r**2, abs=1e-9)


def test_pairs_are_compared_by_their_mean_over_a_band(recording, analysis):
    """C3 and C4 in the mu band: the squared correlation of their connectivity with the class."""
    epochs = cut_epochs([recording], EPOCHS)
    X = spatial_filter("auto", LABELS) @ epochs.X
    whole = connectivity(X, RATE_HZ, frequencies(SpectrumSettings()), ConnectivitySettings())
    mu = (whole.freqs_hz >= 7) & (whole.freqs_hz <= 13)
    values = whole.values[:, 3, 5][:, mu].mean(axis=-1)
    edges = analysis.edges["mu"]
    (row,) = np.flatnonzero((edges.pairs == (3, 5)).all(axis=1))
    expected = np.corrcoef(values, epochs.trial_y)[0, 1] ** 2
    assert abs(edges.contrast.r2[row]) == pytest.approx(expected)
    assert len(edges.pairs) == 28


def test_a_feature_that_was_asked_for_is_described(analysis):
    """Its R2 is that of the mean log power over its band; it was not suggested: no stability."""
    (asked,) = analysis.features
    freqs_hz = analysis.power.freqs_hz
    band = (freqs_hz >= 10) & (freqs_hz <= 12)
    values = analysis.power.values[:, LABELS.index("C4"), band].mean(axis=-1)
    assert asked.r2 == pytest.approx(np.corrcoef(values, analysis.y)[0, 1] ** 2)
    assert asked.name == "C4;10:12"
    assert asked.stability is None


def test_laterality_compares_channels_that_mirror_each_other(analysis):
    """(left - right) / (left + right) of power, C3 against C4 at 11 Hz in each trial."""
    pair = analysis.power.laterality_pairs.index(("C3", "C4"))
    at = int(np.flatnonzero(analysis.power.freqs_hz == 11)[0])
    power = 10 ** (analysis.power.values[:, [3, 5], at] / 10)
    expected = (power[:, 0] - power[:, 1]) / power.sum(axis=1)
    np.testing.assert_allclose(analysis.power.laterality[:, pair, at], expected)


def test_a_rhythm_stands_out_where_it_was_planted(analysis):
    """C4's own mu peak lies at 11 Hz; most channels have none."""
    assert analysis.peaks["mu"][LABELS.index("C4"), 0] == pytest.approx(11, abs=0.5)
    assert np.isnan(analysis.peaks["mu"][:, 0]).sum() >= 4


def test_what_is_kept_is_the_same_bits(recording, tmp_path):
    """With an empty cache, a full one and none: equal, and the second time nothing is computed."""
    cache = Cache(tmp_path / "cache")
    first, again = (analyse([recording], SETTINGS, cache) for _ in range(2))
    same(first, again)
    same(first, analyse([recording], SETTINGS))
    assert set(first.computed) >= {"epochs", "power", "strength", "suggestions"}
    assert again.computed == ()


POWER = {"power", "power_contrast", "power_laterality", "suggestions", "features"}
STRENGTH = {
    "strength",
    "unrelated",
    "edges",
    "strength_contrast",
    "strength_laterality",
    "suggestions",
    "features",
}


def _named(value: object) -> str:
    """Return an id that every process gives alike: sets have no order."""
    return "+".join(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize(
    ("changed", "computed"),
    [
        ({"name": "other"}, set()),
        ({"features": ("C3;8:10", "fc Cz;20")}, {"features"}),
        ({"selection": {"n_features": 1}}, {"suggestions"}),
        ({"n_bootstraps": 11}, {"suggestions"}),
        ({"spectrum": {"order": 12}}, POWER),
        ({"spectrum": {"segment_s": 0.7}}, set()),  # Burg's method has no segments
        ({"spectrum": {"method": "welch"}}, POWER),
        ({"spectrum": {"fmax_hz": 38.0}}, POWER | STRENGTH),
        ({"connectivity": {"measure": "coherence"}}, STRENGTH),
        ({"connectivity": {"order": 9}}, set()),  # Welch's has no order
        ({"connectivity": None}, {"suggestions", "features"}),
        ({"partners": ("C3", "C4")}, STRENGTH - {"unrelated"}),
        (
            {"test": "t"},
            {"power_contrast", "strength_contrast", "edges", "suggestions", "features"},
        ),
        ({"clusters": True, "n_permutations": 100}, {"power_clusters", "strength_clusters"}),
        ({"erds": {"baseline_s": (-1.0, -0.5)}}, {"erds"}),
        ({"erds": None}, set()),
        ({"spatial": "average"}, POWER | STRENGTH | {"peaks", "erds"}),
    ],
    ids=_named,
)
def test_a_changed_parameter_computes_only_what_hangs_on_it(kept, recording, changed, computed):
    """Counted: which steps were computed after one parameter changed."""
    settings = AnalysisSettings(**(SETTINGS.model_dump() | changed))
    found = analyse([recording], settings, kept)
    # Filtered signals are never kept: sooner filtered than read.
    assert set(found.computed) - {"signals"} == computed


@pytest.fixture
def kept(recording: Recording, tmp_path: Path, whole: Path) -> Cache:
    """Return a cache of the analysis, fresh for each test."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for path in whole.iterdir():
        (folder / path.name).hardlink_to(path)
    return Cache(folder)


@pytest.fixture(scope="module")
def whole(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cache that holds the analysis."""
    folder = tmp_path_factory.mktemp("whole")
    analyse([recording], SETTINGS, Cache(folder))
    return folder


def test_changed_recordings_change_everything(made, recording, kept):
    """One sample, one marker or one name is another: no step is taken from the cache."""
    assert analyse([made(seed=1)], SETTINGS, kept).computed[0] == "epochs"


def test_the_hash_of_a_recording_sees_samples_markers_and_names(made, recording):
    """And nothing else but what was read."""
    base = recording_content(recording)
    assert recording_content(made()) == base
    assert recording_content(made(seed=1)) != base
    assert recording_content(made(labels=("FC1", *LABELS[1:]))) != base
    assert recording_content(made(classes=("right_hand", "left_hand"))) != base


@given(st.permutations(["T0", "T1", "T2", "T3"]), st.floats(0.5, 5), st.integers(1, 40))
def test_the_hash_of_settings_is_of_their_content(labels, width_hz, order):
    """However dictionaries are ordered, and after a journey through JSON; the name is no part."""
    event_map = dict.fromkeys(labels, "left_hand")
    settings = AnalysisSettings(
        epochs=EPOCHS.model_copy(update={"event_map": event_map}),
        spectrum={"order": order},
        selection={"width_hz": width_hz},
    )
    ordered = EPOCHS.model_copy(update={"event_map": dict(sorted(event_map.items()))})
    assert settings.model_copy(update={"epochs": ordered}).content == settings.content
    assert (
        AnalysisSettings.model_validate_json(settings.model_dump_json()).content == settings.content
    )
    assert settings.model_copy(update={"name": "x"}).content == settings.content
    assert settings.model_copy(update={"seed": 1}).content != settings.content


def test_a_damaged_entry_is_computed_anew(recording, kept, analysis):
    """Cut, emptied, or changed in its middle: the result is the same bits, and is kept again."""
    for path, change in (
        (next(kept.folder.glob("power-*")), lambda content: content[:-100]),
        (next(kept.folder.glob("strength-*")), lambda content: b""),
        (next(kept.folder.glob("trials-*")), lambda content: b"PK" + content[2:60] + content[80:]),
    ):
        content = path.read_bytes()
        path.unlink()  # a hard link: the others keep theirs
        path.write_bytes(change(content))
    again = analyse([recording], SETTINGS, kept)
    same(again, analysis)
    assert {"power", "strength", "trials"} == set(again.computed) - {"signals", "epochs"}
    assert analyse([recording], SETTINGS, kept).computed == ()


def test_trials_that_are_not_used_are_listed_with_their_reasons(made):
    """A recording that ends within its last trial: that trial is out, and says why."""
    found = analyse([made(tail_s=1.0)], SETTINGS)
    (item,) = found.left_out
    assert "beyond the end" in item.reason
    assert sum(found.n_trials.values()) == 23


def test_more_than_two_classes(made):
    """R2 has no sign, there is no Cohen's d, and everything else is there."""
    found = analyse([made(classes=("feet", "left_hand", "right_hand"), n_trials=30)], SETTINGS)
    assert found.power.contrast.d is None
    assert found.suggestions[0].d is None
    assert (found.power.contrast.r2 >= 0).all()
    assert found.suggestions[0].feature.channel == "C4"
    assert len(found.matrices) == 3
    assert found.erds.percent.shape[0] == 3


def test_what_cannot_be_shown_is_noted(made):
    """No time before the cues, and a narrow filter: no maps, no peaks; the rest is there."""
    recording = made(n_trials=12, apart_s=3.0)
    late = Recording(
        path=recording.path,
        info=recording.info,
        samples=recording.samples[200:],
        stamps=recording.stamps[200:],
        clock_offsets=recording.clock_offsets,
        markers=recording.markers[:2],
    )
    settings = AnalysisSettings.make(
        epochs=EPOCHS.model_copy(update={"band_hz": (8.0, 32.0)}),
        spectrum={"fmin_hz": 8.0, "fmax_hz": 32.0},
    )
    several = [late, made(n_trials=2, tail_s=3.0, seed=1), made(n_trials=2, tail_s=3.0, seed=2)]
    found = analyse(several, settings)
    assert found.erds is None
    assert any("ERD/ERS" in note for note in found.notes)
    assert any("individual peaks" in note for note in found.notes)
    assert np.isnan(found.peaks["mu"]).all()
    assert len(found.suggestions) > 1


def test_channels_without_a_place_do_not_stop_numbers(made):
    """Their position is unknown, and only what needs it asks for a montage."""
    found = analyse(
        [made(labels=("EEG1", "EEG2", "EEG3", "EEG4"))], AnalysisSettings(epochs=EPOCHS, erds=None)
    )
    assert np.isnan(found.positions_m).all()
    assert found.power.laterality_pairs == ()
    with pytest.raises(InputError, match="montage"):
        _ = found.scalp


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"features": ("CC4;10",)}, ["CC4;10", "C4"]),
        ({"features": ("C4;41",)}, ["C4;41", "4 to 40 Hz"]),
        ({"features": ("C4;10.2:10.4",)}, ["C4;10.2:10.4", "1 Hz apart"]),
        ({"features": ("C4",)}, ["C4", "C4;13:16"]),
        ({"features": ("fc C4;10",), "connectivity": None}, ["fc C4;10", "connectivity"]),
        ({"spectrum": {"order": 150}}, ["order 150", "300", "200"]),
        ({"spectrum": {"method": "welch", "step_hz": 0.25}}, ["0.25 Hz", "resolution"]),
        ({"spectrum": {"fmax_hz": 60.0}}, ["60 Hz", "45 Hz"]),
        ({"epochs": EPOCHS.model_dump() | {"band_hz": (2.0, 60.0)}}, ["2 60", "50 Hz"]),
        ({"montage": "biosemi63"}, ["biosemi63", "biosemi64"]),
        ({"partners": ("Pz",)}, ["Pz"]),
        ({"erds_channels": ("Oz",)}, ["Oz"]),
        ({"name": "../up"}, ["name", "../up"]),
        ({"epochs": EPOCHS.model_dump() | {"length_s": 1.0}}, ["one window a trial"]),
    ],
    ids=str,
)
def test_bad_parameters_are_one_line(
    recording: Recording, changed: dict[str, Any], words: list[str]
):
    """The line names what does not fit, and with what."""
    plain = SETTINGS.model_dump()
    if "erds_channels" not in changed:
        plain["erds"] = None
    with pytest.raises(InputError) as caught:
        analyse([recording], AnalysisSettings.make(**(plain | changed)))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def _note(seen: list[tuple[int, int]], done: int, total: int) -> None:
    seen.append((done, total))


def test_progress_counts_to_its_end(recording, tmp_path):
    """From none done to all done, from the cache too."""
    for _ in range(2):
        seen: list[tuple[int, int]] = []
        analyse([recording], SETTINGS, Cache(tmp_path / "cache"), partial(_note, seen))
        assert [done for done, _ in seen] == list(range(seen[-1][1] + 1))
        assert len({total for _, total in seen}) == 1


def test_real_recordings_of_three_runs(shared_data):
    """S001, left and right: all trials, chance levels, and a map of 64 channels."""
    runs = [open_recording(shared_data / "eegmmidb" / f"S001R{k}.edf") for k in ("04", "08", "12")]
    epochs = EpochSettings(band_hz=(2.0, 45.0), event_map={"T1": "left_hand", "T2": "right_hand"})
    found = analyse(runs, AnalysisSettings(epochs=epochs))
    assert found.n_trials == {"left_hand": 23, "right_hand": 22}
    assert found.power.contrast.r2.shape == (64, 37)
    assert found.power.contrast.chance_r2 < 0.1 < found.power.contrast.chance_largest_r2
    assert not np.isnan(found.positions_m).any()
    assert found.erds.channels == ("C3", "Cz", "C4")
    assert {len(source.sha256) for source in found.recordings} == {64}
    assert found.notes == ()
