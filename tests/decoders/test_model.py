"""The model file: whole or not at all, never a pickle; and what a model asks of a stream."""

import io
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from bci.config import EpochSettings
from bci.decoders import Model, available_decoders, load_model, make_decoder, platform_card
from bci.errors import ModelError
from bci.sources.base import Channel, StreamInfo

CHANNELS = ("FC3", "FC4", "C3", "Cz", "C4", "CPz")
NAMES = [
    name
    for name, entry in available_decoders().items()
    if entry.factory is not None and entry.origin == "rolandic"
]


@pytest.fixture(scope="module")
def trained(make_trials):
    """Return a function that trains a model by decoder's name."""

    def train(name="ts-lr", n_classes=2, card=None, classes=None):
        X, y = make_trials(n_per_class=8, n_classes=n_classes)
        return Model(
            channels=CHANNELS,
            rate_hz=160.0,
            epochs=EpochSettings(event_map={"T1": "left_hand"}),
            classes=classes or tuple(np.unique(y)),
            estimator=make_decoder(name).fit(X, y),
            artifact_limit_v=np.linspace(1e-4, 1 / 3 * 1e-3, 6),
            decoder=name,
            card=card if card is not None else {"cv": {"accuracy": [0.7, 0.6, 0.8]}},
        )

    return train


def stream(labels=CHANNELS, rate_hz=160.0, unit="uV", kind="EEG"):
    """Describe a stream."""
    return StreamInfo("amp", "EEG", "id", rate_hz, tuple(Channel(x, unit, kind) for x in labels))


class TestFile:
    """Saving and loading."""

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("name", NAMES)
    def test_a_loaded_model_gives_the_same_bits(
        self, name, n_classes, trained, make_trials, tmp_path
    ):
        """Every decoder of ours: probabilities, settings, limits and card come back."""
        model = trained(name, n_classes)
        model.save(tmp_path / "m.bci")
        loaded = load_model(tmp_path / "m.bci")
        X, _ = make_trials(seed=5, n_classes=n_classes)
        assert_array_equal(loaded.probabilities(X), model.probabilities(X))
        assert_array_equal(loaded.artifact_limit_v, model.artifact_limit_v)
        for key in ("channels", "rate_hz", "epochs", "classes", "decoder", "card"):
            assert getattr(loaded, key) == getattr(model, key)

    def test_the_card_is_readable_without_rolandic(self, trained, tmp_path):
        """card.json in the zip: unit, channels, filter, classes, and what training wrote."""
        card = {"recordings": [{"name": "a.xdf", "sha256": "00"}], "n": np.int64(3), "cv": None}
        trained(card=card).save(tmp_path / "m.bci")
        with zipfile.ZipFile(tmp_path / "m.bci") as archive:
            document = json.loads(archive.read("card.json"))
        assert document["format"] == "rolandic-model"
        assert document["unit"] == "V"
        assert document["channels"] == list(CHANNELS)
        assert document["epochs"]["band_hz"] == [8.0, 32.0]
        assert document["card"] == {**card, "n": 3}

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_only_its_owner_reads_it(self, trained, tmp_path):
        """Mode 0600."""
        trained().save(tmp_path / "m.bci")
        assert stat.S_IMODE((tmp_path / "m.bci").stat().st_mode) == 0o600

    def test_nothing_is_overwritten_unasked(self, trained, tmp_path):
        """What is there stays, unless overwrite=True."""
        path = tmp_path / "m.bci"
        path.write_text("mine")
        with pytest.raises(ModelError, match=r"m\.bci exists"):
            trained().save(path)
        assert path.read_text() == "mine"
        trained().save(path, overwrite=True)
        assert load_model(path).decoder == "ts-lr"

    def test_a_failed_save_leaves_nothing(self, trained, tmp_path, monkeypatch):
        """The disk fails while writing: the old file is whole, no part of a new one is left."""
        path = tmp_path / "m.bci"
        path.write_text("old")

        def full(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ModelError, match="No space left on device"):
            trained().save(path, overwrite=True)
        assert [p.name for p in tmp_path.iterdir()] == ["m.bci"]
        assert path.read_text() == "old"

    def test_places_that_cannot_be_written_are_named(self, trained, tmp_path):
        """A folder, and a file in a folder that is not there."""
        with pytest.raises(ModelError, match="is a folder"):
            trained().save(tmp_path)
        with pytest.raises(ModelError, match="cannot be written"):
            trained().save(tmp_path / "no" / "m.bci")

    def test_an_estimator_of_other_types_is_not_saved(self, trained, tmp_path):
        """What could not be loaded again is refused at once."""
        model = trained()
        model.estimator.extra_ = pickle.PickleBuffer
        with pytest.raises(ModelError, match=r"cannot be saved: it holds .*PickleBuffer"):
            model.save(tmp_path / "m.bci")
        assert not list(tmp_path.iterdir())


class Bomb:
    """Unpickling this would leave a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


class TestOtherFiles:
    """What is no model, or not a whole one."""

    def refused(self, path, match):
        """Load; check for one line that names the file."""
        with pytest.raises(ModelError, match=match) as raised:
            load_model(path)
        assert "\n" not in str(raised.value)
        assert str(raised.value).startswith(str(path))

    def test_a_pickle_is_never_opened(self, tmp_path):
        """Renamed to a model, and also inside a zip of the right names."""
        trace = tmp_path / "trace"
        content = pickle.dumps(Bomb(trace))
        path = tmp_path / "m.bci"
        path.write_bytes(content)
        self.refused(path, "is no Rolandic model")
        card = {"format": "rolandic-model", "version": 1, "unit": "V", "rate_hz": 1, "decoder": ""}
        card |= {"channels": [], "epochs": {}, "classes": [], "artifact_limit_v": [], "card": {}}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("card.json", json.dumps(card))
            archive.writestr("estimator.skops", content)
        self.refused(path, "damaged decoder")
        assert not trace.exists()

    def test_types_that_are_not_trusted_are_not_loaded(self, trained, tmp_path):
        """A skops file with a type of elsewhere: refused, and the type named."""
        path = tmp_path / "m.bci"
        trained().save(path)
        estimator = io.BytesIO()
        bad = LogisticRegression()
        bad.extra = pickle.PickleBuffer
        skops.io.dump(bad, estimator)
        self.replace(path, "estimator.skops", estimator.getvalue())
        self.refused(path, r"types that are not trusted \(.*PickleBuffer")

    def test_an_estimator_that_is_no_decoder_is_refused(self, trained, tmp_path):
        """Trusted by skops, but nothing of ours."""
        path = tmp_path / "m.bci"
        trained().save(path)
        self.replace(path, "estimator.skops", skops.io.dumps(LogisticRegression()))
        self.refused(path, "holds a LogisticRegression instead of a decoder")

    @staticmethod
    def replace(path, name, content):
        """Write the zip anew with one member exchanged."""
        with zipfile.ZipFile(path) as archive:
            members = {item: archive.read(item) for item in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for item, old in members.items():
                archive.writestr(item, content if item == name else old)

    def test_missing_empty_and_folder(self, tmp_path):
        """Each says what it is."""
        self.refused(tmp_path / "none.bci", "is not there")
        (tmp_path / "empty.bci").touch()
        self.refused(tmp_path / "empty.bci", "is empty")
        self.refused(tmp_path, "is a folder")

    def test_a_file_cut_anywhere_is_refused(self, trained, tmp_path):
        """Truncated at many places, up to its last byte."""
        path = tmp_path / "m.bci"
        trained().save(path)
        whole = path.read_bytes()
        for size in [1, 4, *range(100, len(whole), len(whole) // 25), len(whole) - 1]:
            path.write_bytes(whole[:size])
            self.refused(path, "is no Rolandic model, or is cut or damaged")

    def test_a_file_with_a_flipped_bit_is_refused_or_the_same(self, trained, make_trials, tmp_path):
        """Anywhere in the file: a ModelError, or (bits that mean nothing) the same model."""
        path = tmp_path / "m.bci"
        model = trained("csp-lda")
        model.save(path)
        whole = path.read_bytes()
        X, _ = make_trials(seed=1)
        expected = model.probabilities(X)
        refused = 0
        places = [*range(0, len(whole), len(whole) // 60), *range(len(whole) - 140, len(whole))]
        for place in places:
            damaged = bytearray(whole)
            damaged[place] ^= 0x10
            path.write_bytes(damaged)
            try:
                loaded = load_model(path)
            except ModelError:
                refused += 1
            else:
                assert_array_equal(loaded.probabilities(X), expected)
        assert refused > 0.6 * len(places)

    def test_other_zips_are_refused(self, tmp_path):
        """A zip, and a text, that are something else."""
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.writestr("word/document.xml", "<x/>")
        self.refused(tmp_path / "other.zip", "is no Rolandic model")
        (tmp_path / "text.bci").write_text("left_hand,right_hand\n" * 100)
        self.refused(tmp_path / "text.bci", "is no Rolandic model")

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"format": "other"}, "is no Rolandic model"),
            ({"version": 99}, "format version 99"),
            ({"unit": "uV"}, "not volts"),
            ({"channels": "C3"}, r"damaged card \(channels\)"),
            ({"epochs": {"band_hz": [30, 8]}}, "damaged card"),
            ({"classes": ["feet", "tongue"]}, "do not fit together"),
            ({"channels": ["C3", "C4"]}, "do not fit together"),
            ({"artifact_limit_v": ["x"] * 6}, "damaged card"),
        ],
    )
    def test_a_card_that_does_not_fit_is_refused(self, change, match, trained, tmp_path):
        """Format, version, unit, fields of other kinds, classes and channels that differ."""
        path = tmp_path / "m.bci"
        trained().save(path)
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read("card.json"))
        self.replace(path, "card.json", json.dumps(document | change).encode())
        self.refused(path, match)

    def test_a_card_that_is_no_json_is_refused(self, trained, tmp_path):
        """Bytes that are no text, and text that is no JSON."""
        path = tmp_path / "m.bci"
        trained().save(path)
        for content in (b"\xff\xfe", b"{", b"[" * 100_000):
            self.replace(path, "card.json", content)
            self.refused(path, "damaged card|no Rolandic model")


class TestProbabilities:
    """Order of the classes."""

    def test_columns_are_in_the_order_of_the_models_classes(self, trained, make_trials):
        """Classes named in another order than the estimator's: columns follow the model."""
        X, _ = make_trials()
        plain = trained()
        turned = trained(classes=("right_hand", "left_hand"))
        assert_array_equal(turned.probabilities(X), plain.probabilities(X)[:, ::-1])

    def test_labels_may_be_indices(self, make_trials):
        """Fitted on 0 and 1: column k is classes[k]."""
        X, y = make_trials()
        names = ("right_hand", "left_hand")
        index = np.array([names.index(name) for name in y])
        estimator = make_decoder("ts-lr").fit(X, index)
        model = Model(CHANNELS, 160.0, EpochSettings(), names, estimator, np.ones(6))
        assert_allclose(model.probabilities(X).argmax(axis=1) == index, True)

    def test_parts_that_do_not_fit_are_refused(self, make_trials):
        """Limits, channels or classes of another number or name."""
        X, y = make_trials()
        fitted = make_decoder("ts-lr").fit(X, y)
        names = ("left_hand", "right_hand")
        for channels, classes, limit, message in [
            (CHANNELS, names, np.ones(5), "artifact limits of shape"),
            (CHANNELS[:5], names, np.ones(5), "fitted on 6 channels, the model names 5"),
            (CHANNELS, ("left_hand", "feet"), np.ones(6), "fitted on classes left_hand, right"),
        ]:
            with pytest.raises(ModelError, match=message):
                Model(channels, 160.0, EpochSettings(), classes, fitted, limit)


class TestStream:
    """What a model asks of a stream."""

    def test_channels_are_found_in_any_order_and_spelling(self, trained):
        """More channels than needed, in another order: the indices of those that are."""
        labels = ("Oz", "C4", "c3", "CPz", "Cz..", "FC4", "FC3")
        assert_array_equal(trained().match_stream(stream(labels)), [6, 5, 2, 4, 1, 3])

    def test_missing_channels_are_all_named(self, trained):
        """Both that are missing."""
        with pytest.raises(ModelError, match=r"amp.*no channel C3, CPz") as raised:
            trained().match_stream(stream(("FC3", "FC4", "Cz", "C4", "P3")))
        assert "--channels" not in str(raised.value)

    def test_another_rate_is_refused(self, trained):
        """128 Hz against 160 Hz; a nominal rate that is only rounded is the same."""
        with pytest.raises(ModelError, match="has 128 Hz, the model was trained at 160 Hz"):
            trained().match_stream(stream(rate_hz=128.0))
        trained().match_stream(stream(rate_hz=159.99))

    def test_channels_that_are_no_volts_are_refused(self, trained):
        """Neither EEG nor a voltage: the source leaves such numbers as they are."""
        with pytest.raises(ModelError, match="as neither EEG nor a voltage"):
            trained().match_stream(stream(kind="Misc", unit="degC"))
        trained().match_stream(stream(kind="Misc", unit="mV"))

    def test_an_undeclared_unit_is_refused_when_training_had_one(self, trained):
        """The card says that training channels declared theirs: a silent stream does not match."""
        with pytest.raises(ModelError, match=r"names no unit for FC3, .*--unit"):
            trained(card={"units_declared": True}).match_stream(stream(unit=""))
        trained(card={"units_declared": False}).match_stream(stream(unit=""))


def test_the_platform_card_names_what_bits_depend_on():
    """Versions of Python and packages, the system, and the BLAS that is loaded; JSON holds it."""
    card = platform_card()
    assert card["versions"]["numpy"] == np.__version__
    assert card["versions"]["rolandic"] != "unknown"
    assert card["blas"]
    assert json.loads(json.dumps(card)) == card
