"""Our decoders inside MOABB, the field's benchmark, unchanged."""

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score
from threadpoolctl import threadpool_limits

from bci.decoders import available_decoders, make_decoder
from bci.sources.labels import SENSORIMOTOR

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("moabb") is None, reason="MOABB is not installed"),
    # MOABB 1.7.2 makes its result files this way.
    pytest.mark.filterwarnings("ignore:Creating a dataset without passing data or dtype"),
]

DECODERS = [name for name, entry in available_decoders().items() if entry.factory is not None]


@pytest.fixture(scope="module")
def moabb_home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give MNE and MOABB a home of their own: both write settings and results into it."""
    home = tmp_path_factory.mktemp("moabb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE", "APPDATA"):
            patch.setenv(name, str(home))
        for name in ("MNE_DATA", "MOABB_RESULTS"):
            patch.setenv(name, str(home / "data"))
        (home / "data").mkdir()
        yield home


@pytest.fixture(scope="module")
def session(moabb_home: Path, shared_data: Path) -> Any:
    """Return a MOABB dataset made of three runs of S001, and the paradigm for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what MOABB's own imports warn of is not ours to mend
        from moabb.datasets.base import BaseDataset
        from moabb.paradigms import LeftRightImagery

    class RolandicShared(BaseDataset):
        """Imagined fists of one person of EEGMMIDB."""

        def __init__(self) -> None:
            super().__init__(
                subjects=[1],
                sessions_per_subject=1,
                events={"left_hand": 1, "right_hand": 2},
                code="RolandicShared",
                interval=[0, 4],
                paradigm="imagery",
            )

        def _get_single_subject_data(self, subject: int) -> dict[str, Any]:
            runs = {}
            for number, path in enumerate(self.data_path(subject)):
                raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
                mne.datasets.eegbci.standardize(raw)
                raw.set_montage("standard_1005", verbose="error")
                raw.annotations.rename({"T0": "rest", "T1": "left_hand", "T2": "right_hand"})
                runs[str(number)] = raw
            return {"0": runs}

        def data_path(self, subject: int, *_: Any, **__: Any) -> list[str]:
            folder = shared_data / "eegmmidb"
            return [str(folder / f"S{subject:03d}{run}.edf") for run in ("R04", "R08", "R12")]

    paradigm = LeftRightImagery(fmin=8, fmax=32, tmin=0.5, tmax=3.5, channels=list(SENSORIMOTOR))
    return RolandicShared(), paradigm


@pytest.fixture(scope="module")
def arrays(session: Any) -> Any:
    """Return the trials as MOABB cuts them, and their channels."""
    dataset, paradigm = session
    epochs, labels, _ = paradigm.get_data(dataset, subjects=[1], return_epochs=True)
    X, again, _ = paradigm.get_data(dataset, subjects=[1])
    assert list(labels) == list(again)
    return X, labels, {"channels": epochs.ch_names, "rate_hz": epochs.info["sfreq"]}


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_scores_in_moabb_as_it_does_here(name, session, arrays, moabb_home):
    """MOABB's within-session evaluation gives the areas of the same folds, cut by hand."""
    from moabb.evaluations import WithinSessionEvaluation

    dataset, paradigm = session
    X, labels, known = arrays
    evaluation = WithinSessionEvaluation(
        paradigm=paradigm,
        datasets=[dataset],
        overwrite=True,
        hdf5_path=str(moabb_home / "results"),
        suffix=name,
        cv_kwargs={"shuffle": False},
    )
    with threadpool_limits(1):
        results = evaluation.process({name: make_decoder(name, **known)})
        by_hand = cross_val_score(
            make_decoder(name, **known),
            X,
            labels == "right_hand",
            cv=StratifiedKFold(5),
            scoring="roc_auc",
        )
    assert len(results) == 1
    score = float(results["score"].iloc[0])
    assert np.isfinite(score)
    assert score == pytest.approx(by_hand.mean(), abs=1e-6)  # it keeps float32
    # Connectivity by itself says nothing of this person.
    assert score > 0.5 or name == "fc-lda"


def test_nothing_is_written_outside_the_tests_folder(moabb_home):
    """The home that MOABB saw is the test's own."""
    assert os.path.expanduser("~") == str(moabb_home)
