"""Analyses of a session without a window: asked for, superseded, chosen in, undone, kept."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bci.errors import SettingsError
from bci.experiment.analysis_tasks import AnalysisRequest, show
from bci.experiment.session import Session
from bci.experiment.worker import TaskState
from bci.features.analysis import Described, analyse
from bci.features.library import load_analysis
from bci.features.parameters import AnalysisSettings
from bci.features.view import MapView
from bci.signal.epochs import BY_HAND, cut_epochs
from bci.sources.reading import open_recording


@pytest.fixture(scope="module")
def analysed(
    tmp_path_factory: pytest.TempPathFactory, session_of: Callable[..., Session]
) -> Iterator[Session]:
    """Analyse two runs that were recorded already; each test leaves them as they were."""
    session = session_of(tmp_path_factory.mktemp("study"))
    try:
        session.features.request()
        wait(session)
        yield session
    finally:
        session.close()


@pytest.fixture(autouse=True)
def restored(analysed: Session) -> Iterator[None]:
    """Undo what a test chose."""
    yield
    part = analysed.features
    part.beside = None
    while part.can_undo:
        part.undo()
    analysed.record.analysis = {}
    analysed.change(bad_channels=(), epochs={"window_s": (0.5, 3.5)})
    part.request()
    wait(analysed)


def wait(session: Session, timeout_s: float = 60.0) -> None:
    """Wait until nothing is computed."""
    until = time.monotonic() + timeout_s
    while session.features.busy:
        assert time.monotonic() < until, "the analysis does not end"
        time.sleep(0.01)


def power(session: Session) -> MapView:
    """Return the map of power that is shown."""
    result = session.features.result
    assert result is not None
    assert result.view is not None, result.error
    return result.view.maps[0]


def test_the_map_is_that_of_an_analysis_by_hand(analysed: Session) -> None:
    """What is shown equals `analyse` on the same recordings and settings, number for number."""
    part = analysed.features
    recordings = [open_recording(path) for path in part.paths()]
    direct = analyse(recordings, part.settings)
    found = power(analysed)
    for row, name in enumerate(found.channels):
        channel = direct.channels.index(name)
        np.testing.assert_array_equal(found.r2[row], direct.power.contrast.r2[channel])
        np.testing.assert_array_equal(found.p[row], direct.power.contrast.p[channel])
    assert part.result is not None
    assert part.result.suggestions == direct.suggestions


def test_a_changed_parameter_recomputes_what_hangs_on_it_alone(analysed: Session) -> None:
    """Another level touches the contrasts; the spectra stay from before."""
    analysed.features.change(level=0.2)
    wait(analysed)
    result = analysed.features.result
    assert result is not None
    assert set(result.computed) == {"edges", "power_contrast", "strength_contrast"}
    assert analysed.record.analysis == {"level": 0.2}


def test_what_cannot_be_is_refused_and_changes_nothing(analysed: Session) -> None:
    """A range beyond the filter says so at once; the parameters stay."""
    with pytest.raises(SettingsError, match="beyond the filter"):
        analysed.features.change(**{"spectrum.fmax_hz": 90.0})
    assert analysed.record.analysis == {}


def test_a_newer_request_ends_the_older_one(analysed: Session) -> None:
    """Of changes in quick succession only the last is shown, and the process lives on."""
    part, pid = analysed.features, analysed.worker.pid
    shown: list[str] = []

    def told() -> None:
        if part.result is not None and part.result.view is not None:
            shown.append(part.result.view.reference)

    part.events.changed.connect(told)
    try:
        for spatial in ("none", "large-laplacian", "average"):
            part.change(spatial=spatial)
        until = time.monotonic() + 10
        while analysed.worker.current is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        part.change(spatial="none")
        wait(analysed)
    finally:
        part.events.changed.disconnect(told)
    assert shown == ["none"]
    assert part.error == ""
    assert analysed.worker.pid == pid
    assert not list(analysed.folder.glob(".stop-analysis*"))


def test_cancel_leaves_what_was_shown(analysed: Session) -> None:
    """The end of an analysis that nobody wants takes nothing away."""
    part, before = analysed.features, analysed.features.result
    part.change(spatial="average")
    part.cancel()
    assert not part.busy
    assert part.result is before


def test_a_trial_taken_out_is_left_out_of_maps_and_training(analysed: Session) -> None:
    """One trial fewer in the map, listed as taken out, and cut from what decoders see; undone."""
    part = analysed.features
    row = part.runs()[1]
    assert len(row.trials) == 16
    part.use_trial(row.file, row.trials[2].onset_s, used=False)
    assert part.runs()[1].trials[2].state == "out"
    assert set(analysed.trial_choice()) == {row.name}
    assert analysed.trial_choice()[row.name] == pytest.approx((row.trials[2].onset_s,), abs=1e-3)
    wait(analysed)
    assert part.result is not None
    assert part.result.view is not None
    assert sum(part.result.view.n_trials.values()) == 31
    recordings = [open_recording(path) for path in analysed.record.paths("calibration")]
    epochs = cut_epochs(recordings, analysed.epochs)
    assert epochs.n_trials == 31
    assert [o.reason for o in epochs.left_out] == [BY_HAND]
    part.undo()
    assert analysed.trial_choice() == {}
    part.redo()
    assert len(analysed.trial_choice()) == 1


def test_training_leaves_out_what_was_taken_out(analysed: Session) -> None:
    """The model's card counts the trials that are left, and names the one that is not."""
    part = analysed.features
    row = part.runs()[0]
    part.use_trial(row.file, row.trials[0].onset_s, used=False)
    task = analysed.training.train("ts-lr")
    assert task.wait(120.0)
    assert task.state is TaskState.DONE, task.error
    attempt = analysed.record.attempts[-1]
    assert attempt["n_trials"] == {"left_hand": 15, "right_hand": 16}
    assert [item["reason"] for item in attempt["left_out"]] == [BY_HAND]


def test_runs_are_ticked_out(analysed: Session) -> None:
    """A run that is not ticked is not analysed; with none, it says what to do."""
    part = analysed.features
    first, second = part.runs()
    part.use_run(first.file, used=False)
    wait(analysed)
    assert part.result is not None
    assert part.result.view is not None
    assert sum(part.result.view.n_trials.values()) == 16
    assert len(part.runs()[0].trials) == 16, "its trials stay known"
    part.use_run(second.file, used=False)
    wait(analysed)
    assert "tick one" in part.error
    assert part.result is None


def test_what_is_wrong_with_the_trials_is_said_and_can_be_mended(analysed: Session) -> None:
    """With a class taken out as a whole there is no map, and all trials are still listed."""
    part = analysed.features
    for row in part.runs():
        for trial in row.trials:
            if trial.class_name == "left_hand":
                part.use_trial(row.file, trial.onset_s, used=False)
    wait(analysed)
    assert "take some in again" in part.error
    assert all(len(row.trials) == 16 for row in part.runs())


def test_features_are_chosen_described_and_undone(analysed: Session) -> None:
    """Typed, dragged or suggested, once each; the record keeps them as decoders read them."""
    part = analysed.features
    part.choose(part.read("c4 10-13, fc C3;20:24"))
    part.choose(part.read("C4;10:13"))
    assert analysed.record.features == ["C4;10:13", "fc C3;20:24"]
    wait(analysed)
    found = part.described["C4;10:13"]
    assert isinstance(found, Described)
    assert found.r2 > 0.2, "the right hand leaves C4 its power"
    part.drop("C4;10:13")
    part.undo()
    assert analysed.record.features == ["C4;10:13", "fc C3;20:24"]
    assert part.suggest()
    assert len(analysed.record.features) == 6
    assert analysed.readiness("features").done


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("C4", "write a channel"),
        ("C9;10:13", "no channel of this analysis"),
        ("C4;10:80", "4 to 40 Hz"),
        ("C4;13:10", "ends before"),
        ("", "name at least one"),
    ],
)
def test_what_is_no_feature_says_why(analysed: Session, text: str, says: str) -> None:
    """Every error names what was typed and what to do."""
    with pytest.raises(SettingsError, match=says):
        analysed.features.read(text)


def test_a_chosen_feature_whose_channel_went_bad_says_so(analysed: Session) -> None:
    """The others keep their numbers, and the maps do without the channel."""
    part = analysed.features
    part.choose(part.read("C4;10:13, C3;10:13"))
    analysed.change(bad_channels=("C4",))
    part.request()
    wait(analysed)
    assert "C4" not in power(analysed).channels
    assert isinstance(part.described["C3;10:13"], Described)
    assert "C4" in str(part.described["C4;10:13"])


def test_rejection_is_counted_and_holds_for_training(analysed: Session) -> None:
    """The setting is the session's own, so that training honours it, too."""
    part = analysed.features
    part.change(**{"epochs.reject": True})
    wait(analysed)
    assert analysed.epochs.reject
    assert part.result is not None
    assert part.result.settings.epochs.reject


def test_a_kept_analysis_stands_beside_another(analysed: Session) -> None:
    """What is kept is found by name, reads back, and says in what the two differ."""
    part = analysed.features
    part.choose(part.read("C4;10:13"))
    wait(analysed)
    part.keep("usual")
    until = time.monotonic() + 30
    while not part.kept():
        assert time.monotonic() < until
        time.sleep(0.01)
    entry = part.kept()[-1]
    assert entry.name == "usual"
    assert [said.name for said in load_analysis(entry.path).features] == ["C4;10:13"]
    part.change(spatial="average")
    part.put_beside(entry.path)
    wait(analysed)
    assert part.result is not None
    beside = part.result.beside
    assert beside is not None
    assert ("spatial", "average", "auto") in beside.differences
    assert beside.correlation < 1
    with pytest.raises(SettingsError, match="name"):
        part.keep("no name/at all")


def test_real_recordings_give_the_numbers_of_the_command(
    shared_data: Path, tmp_path: Path, analysed: Session
) -> None:
    """S001's runs 4, 8 and 12, taken as they are: what the window gets is the command's map."""
    settings = AnalysisSettings.make(
        epochs={"band_hz": (2, 45), "event_map": {"T1": "left_hand", "T2": "right_hand"}},
        connectivity=None,
        erds=None,
    )
    paths = [shared_data / "eegmmidb" / f"S001R{run}.edf" for run in ("04", "08", "12")]
    result = show(
        AnalysisRequest(
            paths=tuple(paths), unit=None, settings=settings, features=(),
            workspace=tmp_path, beside=None, stop=tmp_path / "stop",
        ),
        progress=lambda done, total: None,
    )  # fmt: skip
    assert result.view is not None, result.error
    assert result.view.n_trials == {"left_hand": 23, "right_hand": 22}
    assert len(result.trials) == 45
    found = result.view.maps[0]
    assert len(found.channels) == 64
    direct = analyse([open_recording(path) for path in paths], settings)
    rows = [direct.channels.index(name) for name in found.channels]
    np.testing.assert_array_equal(found.r2, direct.power.contrast.r2[rows])
    assert result.suggestions == direct.suggestions
    assert found.r2[found.channels.index("FC4"), 8] > 0.1
