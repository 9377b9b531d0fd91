"""Decoders of named features: what they compute, what they choose, what they say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import freqz
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from statsmodels.regression.linear_model import burg

from bci.config import EpochSettings
from bci.decoders import CombinedDecoder, FeatureDecoder, Model, load_model, make_decoder
from bci.decoders.feature_rules import fit_rule
from bci.errors import ChannelError, SettingsError
from bci.evaluation import train_model
from bci.features import AnalysisSettings, analyse, parse_features
from bci.features.connectivity import connectivity, node_strength
from bci.features.settings import ConnectivitySettings
from bci.signal.epochs import cut_epochs
from bci.sources.labels import SENSORIMOTOR
from bci.sources.reading import open_recording

NAMES = ("FC3", "C3", "CP3", "Cz", "FC4", "C4", "CP4", "Oz")
RATE_HZ = 128.0
DECODERS = ("psd-lda", "psd-lr", "fc-lda", "psd+fc-lda", "combined")


def rhythms(seed: int, n_trials: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return noise with an 11 Hz rhythm at C4 that class 0 quietens, at 128 Hz."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_trials) % 2
    X = rng.standard_normal((n_trials, len(NAMES), 256))
    times = np.arange(256) / RATE_HZ
    phases = rng.uniform(0, 2 * np.pi, n_trials)
    strength = rng.uniform(0.8, 1.2, n_trials) * np.where(y == 0, 0.15, 0.6)
    X[:, 5] += strength[:, None] * np.sin(2 * np.pi * 11 * times + phases[:, None])
    return 1e-5 * X, y


def make(**params: object) -> FeatureDecoder:
    """Return a decoder that knows the channels and the rate."""
    return FeatureDecoder(channels=NAMES, rate_hz=RATE_HZ, **params)


def test_named_features_are_what_the_textbook_computes():
    """Log power by statsmodels and scipy, connectivity pair by pair, scikit-learn's rule."""
    X, y = rhythms(0)
    decoder = make(features="C4;10:12, psd Cz;20, fc C3;8:12", spatial="none", segment_s=0.5)
    decoder.fit(X[:30], y[:30])

    def power(signal: np.ndarray, freqs_hz: list[float]) -> float:
        rho, _ = burg(signal, 16)
        _, response = freqz([1.0], np.r_[1.0, -rho], worN=freqs_hz, fs=RATE_HZ)
        error = signal - signal.mean()
        error = np.convolve(error, np.r_[1.0, -rho])[16 : len(signal)]
        return float(np.mean(10 * np.log10(2 / RATE_HZ * error.var() * np.abs(response) ** 2)))

    settings = ConnectivitySettings(measure="plv", segment_s=0.5)
    strength = node_strength(
        connectivity(X, RATE_HZ, np.array([8.0, 10.0, 12.0]), settings).values
    )[:, 1].mean(axis=-1)
    values = np.column_stack(
        [
            [power(window[5], [10.0, 11.0, 12.0]) for window in X],
            [power(window[3], [20.0]) for window in X],
            strength,
        ]
    )
    values = (values - values[:30].mean(axis=0)) / values[:30].std(axis=0)
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(values[:30], y[:30])
    # The variance of the error is estimated otherwise: within a few hundredths of a decibel.
    assert_allclose(decoder.predict_proba(X[30:]), rule.predict_proba(values[30:]), atol=0.03)
    assert [str(name) for name in decoder.names] == ["psd C4;10:12", "psd Cz;20", "fc C3;8:12"]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_trials", [12, 60])
def test_the_discriminant_is_scikit_learns(n_classes, n_trials):
    """Shrunk class by class, few trials or many, a constant feature among them."""
    rng = np.random.default_rng(1)
    y = np.arange(n_trials) % n_classes
    values = rng.standard_normal((n_trials, 5)) @ rng.standard_normal((5, 5)) + y[:, None]
    for features in (values, np.column_stack([values, np.ones(n_trials)])):
        rule = fit_rule(features, y, "lda")
        theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        theirs.fit((features - rule.centre) / rule.scale, y)
        assert_allclose(rule.coef, theirs.coef_, atol=1e-9)
        assert_allclose(rule.intercept, theirs.intercept_, atol=1e-9)


def test_the_planted_rhythm_is_chosen_and_decoded():
    """C4 around 11 Hz first; other trials are decoded by it."""
    X, y = rhythms(2)
    decoder = make().fit(X, y)
    first = decoder.names[0]
    assert (first.kind, first.channel) == ("psd", "C4")
    assert first.low_hz <= 11 <= first.high_hz
    assert decoder.r2_[0] > 0.3
    unseen, truth = rhythms(3)
    assert decoder.score(unseen, truth) > 0.85


def test_forward_selection_keeps_what_is_needed():
    """One planted feature among many of two kinds: one or two are kept, the planted first."""
    X, y = rhythms(4, 60)
    decoder = make(kinds="psd+fc", n_features=4, forward=True).fit(X, y)
    assert decoder.names[0].channel == "C4"
    assert len(decoder.names) <= 2
    unseen, truth = rhythms(5)
    assert decoder.score(unseen, truth) > 0.85


@pytest.mark.parametrize("method", ["burg", "welch", "multitaper"])
@pytest.mark.parametrize("cross_method", ["welch", "multitaper", "burg"])
def test_every_method_decodes_one_window_as_many(method, cross_method):
    """Whatever computes spectra and cross-spectra: one window alone gives the same bits."""
    X, y = rhythms(7)
    decoder = make(
        kinds="psd+fc", n_features=2, method=method, cross_method=cross_method, measure="coherence"
    ).fit(X, y)
    together = decoder.predict_proba(X)
    for k in (0, 11, 39):
        assert_array_equal(decoder.predict_proba(X[k : k + 1])[0], together[k])


def test_a_criterion_chooses_the_order_once():
    """At fit time, for chosen and for named features; it stays for later windows."""
    X, y = rhythms(8)
    for features in ("", "C4;10:12"):
        decoder = make(order="bic", features=features).fit(X, y)
        assert 1 <= decoder.order_ <= 26
        order = decoder.order_
        decoder.predict_proba(X[:3])
        assert decoder.order_ == order


def test_combined_evidence_is_the_mean_of_the_log_odds():
    """Of decoders that were fitted by themselves on the same trials."""
    X, y = rhythms(9)
    both = CombinedDecoder(("ts-lr", "psd-lda"), NAMES, RATE_HZ).fit(X[:30], y[:30])
    parts = [
        make_decoder(name, channels=NAMES, rate_hz=RATE_HZ).fit(X[:30], y[:30])
        for name in ("ts-lr", "psd-lda")
    ]
    # What is surer than a million to one counts no more.
    logs = [np.log(np.maximum(part.predict_proba(X[30:]), 1e-6)) for part in parts]
    found = both.predict_proba(X[30:])
    expected = np.exp(np.mean(logs, axis=0))
    assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)
    assert both.names == [str(name) for name in parts[1].names]


@pytest.mark.parametrize("name", DECODERS)
def test_a_saved_model_gives_the_same_bits(name, tmp_path):
    """Saved and read again, no code in the file, the features still named."""
    X, y = rhythms(10)
    decoder = make_decoder(name, channels=NAMES, rate_hz=RATE_HZ).fit(X, y)
    model = Model(
        channels=NAMES,
        rate_hz=RATE_HZ,
        epochs=EpochSettings(),
        classes=("left_hand", "right_hand"),
        estimator=decoder,
        artifact_limit_v=np.ones(len(NAMES)),
        decoder=name,
    )
    model.save(tmp_path / "m.bcimodel")
    loaded = load_model(tmp_path / "m.bcimodel")
    assert_array_equal(loaded.probabilities(X), model.probabilities(X))
    assert loaded.estimator.names == decoder.names


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"features": "C5;8:12"}, ChannelError, r"no channel C5 \(nearest names: "),
        ({"features": "C4;60:70"}, SettingsError, "70 Hz lies above half of the sampling rate"),
        ({"features": "C4"}, SettingsError, "write a channel, a semicolon and a band"),
        ({"order": 200}, SettingsError, "order 200 needs windows of at least 400 samples"),
        ({"n_features": 0}, SettingsError, "n_features 0"),
        ({"kinds": "psd+erd"}, SettingsError, "kinds 'psd.erd': choose psd, fc or psd.fc"),
        ({"rule": "svm"}, SettingsError, "rule 'svm': choose one of lda, lr"),
        ({"spatial": "csp"}, SettingsError, "spatial filter 'csp'"),
        ({"kinds": "fc", "measure": "plv", "cross_method": "burg"}, SettingsError, "needs phases"),
        ({"fmin_hz": 40.0, "fmax_hz": 41.0}, SettingsError, "no band of 4 Hz lies between"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(params, error, message):
    """It names the value and what to do."""
    X, y = rhythms(11)
    with pytest.raises(error, match=message) as raised:
        make(**params).fit(X, y)
    assert "\n" not in str(raised.value)


def test_names_that_do_not_fit_the_windows_are_refused():
    """Eight names for seven channels; one decoder is no combination."""
    X, y = rhythms(12)
    with pytest.raises(SettingsError, match="8 channel names for windows of 7 channels"):
        make().fit(X[:, :7], y)
    with pytest.raises(SettingsError, match="name two or more to combine"):
        CombinedDecoder(("ts-lr",)).fit(X, y)


def test_a_person_is_decoded_and_the_card_names_the_features(shared_data):
    """S001: nested ROC-AUC of band power above 0.65, sensorimotor channels on the card."""
    recordings = [
        open_recording(shared_data / "eegmmidb" / f"S001{run}.edf") for run in ("R04", "R08", "R12")
    ]
    settings = EpochSettings(
        band_hz=(7.0, 35.0), event_map={"T1": "left_hand", "T2": "right_hand"},
        classes=("left_hand", "right_hand"), channels=SENSORIMOTOR,
    )  # fmt: skip
    model = train_model(recordings, settings, "psd-lda")
    assert model.card["cv"]["roc_auc"]["mean"] > 0.65
    assert model.card["features"] == [str(name) for name in model.estimator.names]
    assert all(name.channel in model.channels for name in model.estimator.names)


@pytest.mark.parametrize(
    ("spectrum", "connectivity_", "params"),
    [
        ({}, {}, {}),
        (
            {"method": "welch", "segment_s": 1.0},
            {"measure": "coherence", "method": "multitaper"},
            {"method": "welch", "measure": "coherence", "cross_method": "multitaper"},
        ),
    ],
)
def test_a_decoder_computes_what_the_analysis_showed(shared_data, spectrum, connectivity_, params):
    """One set of parameters: the rule of scikit-learn on the analysis's own numbers agrees."""
    recordings = [open_recording(shared_data / "eegmmidb" / "S001R04.edf")]
    settings = EpochSettings(
        band_hz=(2.0, 45.0),
        event_map={"T1": "left_hand", "T2": "right_hand"},
        channels=("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CP4"),
    )
    shown = analyse(
        recordings,
        AnalysisSettings.make(
            epochs=settings, erds=None, spectrum=spectrum, connectivity=connectivity_
        ),
    )
    features = "FC4;10:14, C3;20, fc C4;9:12"
    told = {"measure": "abs_imaginary", **params}
    decoder = make_decoder(
        "psd+fc-lda", features=features, segment_s=1.0, channels=shown.channels, rate_hz=160.0,
        **told,
    )  # fmt: skip
    X = cut_epochs(recordings, settings).X
    values = []
    for feature in parse_features(features):
        found = shown.power if feature.kind == "psd" else shown.strength
        inside = (found.freqs_hz >= feature.low_hz) & (found.freqs_hz <= feature.high_hz)
        row = found.values[:, shown.channels.index(feature.channel)]
        values.append(row[:, inside].mean(axis=-1))
    standard = np.column_stack(values)
    standard = (standard - standard.mean(axis=0)) / standard.std(axis=0)
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(standard, shown.y)
    ours = decoder.fit(X, shown.y).predict_proba(X)
    assert_allclose(ours, rule.predict_proba(standard), atol=1e-6)
