"""Decoders of features that a clinician can name: band power, connectivity, or both."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from bci.decoders.base import F64, Decoder, Index, check_at_least
from bci.decoders.feature_grid import averages, grid
from bci.decoders.feature_rules import FeatureRule, fit_rule, learn
from bci.decoders.linear import scores
from bci.errors import SettingsError
from bci.features.connectivity import strengths
from bci.features.grammar import KINDS, Feature, parse_features
from bci.features.selection import Candidates, SelectionSettings
from bci.features.settings import ConnectivitySettings, SpectrumSettings
from bci.features.spatial import spatial_filter
from bci.features.spectra import check_frequencies, spectra_at
from bci.sources.labels import match_channels

__all__ = ["FeatureDecoder", "fc_lda", "psd_fc_lda", "psd_lda", "psd_lr"]


class FeatureDecoder(Decoder):
    """A few log band powers and node strengths, and a linear rule.

    Which ones is either said (`features`) or chosen at fit time, from the windows that it is
    fitted on alone: inside a cross-validation the choice is made anew in each fold.

    Measured on thirteen people of EEGMMIDB, three of MI-OpenBCI and the two days of P1 (7-35 Hz
    causal, 0.5-3.5 s, all channels, stratified 5-fold, mean ROC-AUC of ``"psd"``): as recorded
    .59, common average .71, large Laplacian .73, small Laplacian .76 (against the average +.047
    +- .023, against the large one +.033 +- .024). Three features .75, six .76, ten .77; without
    the prior .74. Sixteen combinations of filter, number and width, the best on all others taken
    for each person: these defaults for fifteen of seventeen people, and .74, which is what such a
    choice can expect of new people. Connectivity by itself is near chance (phase locking .58 to
    .60, coherence .57, imaginary coherence .54), and beside band power it gains nothing (.75);
    nor does choosing the number of features by inner folds (.74). Logistic regression .75.

    Parameters
    ----------
    kinds : str
        ``"psd"``, ``"fc"`` or ``"psd+fc"``: what is chosen from. Of two kinds `n_features` each.
    features : str
        ``"C4;13:16, fc Cz;10"`` as `bci.features.grammar` reads it; empty: they are chosen.
    n_features : int
    rule : {"lda", "lr"}
        Linear discriminant analysis with Ledoit and Wolf's shrinkage, or logistic regression.
    forward : bool
        Choose by inner folds how many features, `n_features` at most, and of which kinds:
        `bci.decoders.feature_rules.learn`.
    spatial : {"auto", "none", "average", "small-laplacian", "large-laplacian"}
        Before everything: `bci.features.spatial.spatial_filter`.
    width_hz, prior, redundancy
        Of the choice: `bci.features.selection.SelectionSettings`.
    fmin_hz, fmax_hz : float
        Where bands may lie.
    method : {"burg", "welch", "multitaper"}
        Of the spectra.
    order : int or {"aic", "bic"}
    measure : str
        Of connectivity: `bci.features.settings.ConnectivitySettings`. Phase locking in segments of
        0.5 s decodes best of all that were tried. What is shown to people is by default
        imaginary coherency in segments of 1 s: finer in frequency, and no map of what electrodes
        hear in common.
    cross_method : {"welch", "multitaper", "burg"}
        Of its cross-spectra.
    segment_s : float
        Of both, where segments are used; no longer than half of a window of training.
    channels : sequence of str, optional
        Names of the windows' channels; without them they are ``"1"``, ``"2"``, ...
    rate_hz : float
        Sampling rate of the windows.

    Attributes
    ----------
    kinds_ : list of str
        Of each feature, as are the next.
    columns_ : ndarray of int, shape (n_features,)
    bands_hz_ : ndarray of float64, shape (n_features, 2)
    r2_ : ndarray of float64, shape (n_features,)
        Signed R2 on the windows of training: no measure of anything but these.
    order_ : int
        Of the autoregressive models of the spectra; 0: none.
    segment_s_ : float
    spatial_ : ndarray of float64, shape (n_channels, n_channels)
    nodes_ : dict of str to ndarray of int
        By kind: the channels of its features, ascending.
    freqs_hz_ : dict of str to ndarray of float64
        By kind: the frequencies that its features need, ascending.
    weights_ : dict of str to ndarray of float64, shape (n_features, n_nodes * n_freqs)
        By kind: what each feature averages.
    centre_, scale_ : ndarray of float64, shape (n_features,)
    coef_ : ndarray of float64, shape (n_scores, n_features)
    intercept_ : ndarray of float64, shape (n_scores,)
    """

    def __init__(
        self,
        kinds: str = "psd",
        features: str = "",
        n_features: int = 6,
        rule: str = "lda",
        forward: bool = False,
        spatial: str = "auto",
        width_hz: float = 4.0,
        prior: bool = True,
        redundancy: bool = True,
        fmin_hz: float = 6.0,
        fmax_hz: float = 35.0,
        method: str = "burg",
        order: int | str = 16,
        measure: str = "plv",
        cross_method: str = "welch",
        segment_s: float = 0.5,
        channels: Sequence[str] | None = None,
        rate_hz: float = 250.0,
    ) -> None:
        self.kinds = kinds
        self.features = features
        self.n_features = n_features
        self.rule = rule
        self.forward = forward
        self.spatial = spatial
        self.width_hz = width_hz
        self.prior = prior
        self.redundancy = redundancy
        self.fmin_hz = fmin_hz
        self.fmax_hz = fmax_hz
        self.method = method
        self.order = order
        self.measure = measure
        self.cross_method = cross_method
        self.segment_s = segment_s
        self.channels = channels
        self.rate_hz = rate_hz

    @property
    def names(self) -> list[Feature]:
        """The features of a fitted decoder, as a clinician reads them."""
        channels = self._channels(self.n_channels_in_)
        return [
            Feature("psd" if kind == "psd" else "fc", channels[column], float(low), float(high))
            for kind, column, (low, high) in zip(
                self.kinds_, self.columns_, self.bands_hz_, strict=True
            )
        ]

    def _fit(self, X: F64, target: Index, trials: Index) -> None:
        names = self._channels(X.shape[1])
        self.spatial_ = spatial_filter(self.spatial, names)
        self.segment_s_ = min(self.segment_s, X.shape[-1] / 2 / self.rate_hz)
        self.order_ = 0
        if self.features:
            self._take(parse_features(self.features), names)
            self._plan()
            if "psd" in self.kinds_:
                # An order that a criterion chooses is chosen here, and stays.
                self.order_ = self._spectrum(self._filtered(X), self.freqs_hz_["psd"])[1]
            rule = fit_rule(self._values(X), target, self.rule)
        else:
            rule = self._choose(X, target, trials, names)
            self._plan()
        self.centre_, self.scale_, self.coef_, self.intercept_ = rule

    def _channels(self, n_channels: int) -> list[str]:
        if self.channels is None:
            return [str(number) for number in range(1, n_channels + 1)]
        if len(self.channels) != n_channels:
            raise SettingsError(
                f"{len(self.channels)} channel names for windows of {n_channels} channels"
            )
        return list(self.channels)

    def _take(self, features: Sequence[Feature], names: Sequence[str]) -> None:
        """Use the features that were asked for."""
        # One by one: two bands of one channel are two features.
        self.columns_ = np.array([match_channels([f.channel], names)[0] for f in features])
        self.kinds_: list[str] = [feature.kind for feature in features]
        self.bands_hz_ = np.array([(f.low_hz, f.high_hz) for f in features])
        check_frequencies(float(self.bands_hz_.max()), self.rate_hz)
        self.r2_ = np.full(len(features), np.nan)

    def _choose(self, X: F64, target: Index, trials: Index, names: Sequence[str]) -> FeatureRule:
        """Choose features, and fit the rule to them."""
        kinds = self.kinds.split("+")
        if not kinds or len(set(kinds)) < len(kinds) or not set(kinds) <= set(KINDS):
            raise SettingsError(f"kinds {self.kinds!r}: choose psd, fc or psd+fc")
        settings = SelectionSettings.make(
            n_features=check_at_least("n_features", self.n_features, 1),
            width_hz=self.width_hz,
            fmin_hz=self.fmin_hz,
            fmax_hz=self.fmax_hz,
            redundancy=self.redundancy,
            prior=self.prior,
        )
        filtered = self._filtered(X)
        tables = {}
        for kind in kinds:
            freqs_hz = self._grid(kind, self.fmin_hz, self.fmax_hz)
            if kind == "psd":
                found, self.order_ = self._spectrum(filtered, freqs_hz)
            else:
                found = self._strength(filtered, freqs_hz, None)
            tables[kind] = Candidates.of(found, freqs_hz, names, settings)
        learned = learn(
            tables, target, trials, names, settings, rule=self.rule, forward=self.forward
        )
        self.kinds_ = list(learned.kinds)
        self.columns_ = np.array([choice.channel for choice in learned.choices])
        self.bands_hz_ = np.array([choice.band_hz for choice in learned.choices])
        self.r2_ = np.array([choice.r2 for choice in learned.choices])
        return learned.rule

    def _grid(self, kind: str, low_hz: float, high_hz: float) -> F64:
        """Return the frequencies of a band that the method of a kind has; one, at the least."""
        method = self.method if kind == "psd" else self.cross_method
        if method == "burg":
            return grid(low_hz, high_hz, None)
        n_piece = (
            self.n_times_in_ if method == "multitaper" else round(self.segment_s_ * self.rate_hz)
        )
        return grid(low_hz, high_hz, self.rate_hz / n_piece)

    def _plan(self) -> None:
        """Say what of each window is to be computed, and what each feature averages."""
        self.nodes_: dict[str, Index] = {}
        self.freqs_hz_: dict[str, F64] = {}
        self.weights_: dict[str, F64] = {}
        for kind in (name for name in KINDS if name in self.kinds_):
            grids = [
                self._grid(kind, *band) if name == kind else None
                for name, band in zip(self.kinds_, self.bands_hz_, strict=True)
            ]
            self.nodes_[kind], self.freqs_hz_[kind], self.weights_[kind] = averages(
                self.columns_, grids
            )

    def _filtered(self, X: F64, nodes: Index | None = None) -> F64:
        """Return windows after the spatial filter, all channels or some."""
        # Strided windows would take another path through BLAS, and differ in the last bits.
        X = np.ascontiguousarray(X)
        return np.asarray((self.spatial_ if nodes is None else self.spatial_[nodes]) @ X)

    def _spectrum(self, X: F64, freqs_hz: F64) -> tuple[F64, int]:
        """Return log power, shape (n_windows, n_channels, n_freqs), and the models' order."""
        settings = _spectrum_settings(self.method, self.order_ or self.order, self.segment_s_)
        found = spectra_at(X, self.rate_hz, freqs_hz, settings)
        return found.log_power, found.order or 0

    def _strength(self, X: F64, freqs_hz: F64, nodes: Index | None) -> F64:
        """Return node strengths, shape (n_windows, n_nodes, n_freqs)."""
        settings = _connectivity_settings(self.measure, self.cross_method, self.segment_s_)
        return strengths(X, self.rate_hz, freqs_hz, settings, nodes)[0]

    def _values(self, X: F64) -> F64:
        """Return the features of windows, shape (n_windows, n_features)."""
        values = np.zeros((len(X), len(self.kinds_)))
        # Connectivity counts what is undefined as none: it would hide them.
        values[~np.isfinite(X).all(axis=(1, 2))] = np.nan
        for kind, nodes in self.nodes_.items():
            freqs_hz = self.freqs_hz_[kind]
            if kind == "psd":
                found, _ = self._spectrum(self._filtered(X, nodes), freqs_hz)
            else:
                found = self._strength(self._filtered(X), freqs_hz, nodes)
            values += scores(found.reshape(len(X), -1), self.weights_[kind], np.zeros(1))
        return values

    def standardised(self, X: F64) -> F64:
        """Return the features of windows as the rule of a fitted decoder takes them.

        Parameters
        ----------
        X : ndarray of float64, shape (n_windows, n_channels, n_times)

        Returns
        -------
        ndarray of float64, shape (n_windows, n_features)
        """
        values: F64 = (self._values(X) - self.centre_) / self.scale_
        return values

    def _probabilities(self, X: F64) -> F64:
        rule = FeatureRule(self.centre_, self.scale_, self.coef_, self.intercept_)
        return rule.probabilities(self._values(X))


# Checked once, not for every window.
@lru_cache(maxsize=32)
def _spectrum_settings(method: str, order: int | str, segment_s: float) -> SpectrumSettings:
    return SpectrumSettings.make(method=method, order=order, segment_s=segment_s)


@lru_cache(maxsize=32)
def _connectivity_settings(measure: str, method: str, segment_s: float) -> ConnectivitySettings:
    return ConnectivitySettings.make(measure=measure, method=method, segment_s=segment_s)


def psd_lda(
    features: str = "",
    n_features: int = 6,
    forward: bool = False,
    spatial: str = "auto",
    method: str = "burg",
    order: int | str = 16,
    segment_s: float = 0.5,
    prior: bool = True,
    channels: Sequence[str] | None = None,
    rate_hz: float = 250.0,
) -> FeatureDecoder:
    """Take a few log band powers, chosen or named; linear discriminant analysis."""
    return FeatureDecoder(
        "psd",
        features,
        n_features,
        "lda",
        forward,
        spatial,
        method=method,
        order=order,
        segment_s=segment_s,
        prior=prior,
        channels=channels,
        rate_hz=rate_hz,
    )


def psd_lr(
    features: str = "",
    n_features: int = 6,
    forward: bool = False,
    spatial: str = "auto",
    method: str = "burg",
    order: int | str = 16,
    segment_s: float = 0.5,
    prior: bool = True,
    channels: Sequence[str] | None = None,
    rate_hz: float = 250.0,
) -> FeatureDecoder:
    """Take a few log band powers, chosen or named; logistic regression."""
    decoder = psd_lda(
        features, n_features, forward, spatial, method, order, segment_s, prior, channels, rate_hz
    )
    return decoder.set_params(rule="lr")  # type: ignore[no-any-return]


def fc_lda(
    features: str = "",
    n_features: int = 6,
    forward: bool = False,
    spatial: str = "auto",
    measure: str = "plv",
    cross_method: str = "welch",
    segment_s: float = 0.5,
    prior: bool = True,
    channels: Sequence[str] | None = None,
    rate_hz: float = 250.0,
) -> FeatureDecoder:
    """Take a few node strengths of connectivity, chosen or named; linear discriminant analysis."""
    return FeatureDecoder(
        "fc",
        features,
        n_features,
        "lda",
        forward,
        spatial,
        measure=measure,
        cross_method=cross_method,
        segment_s=segment_s,
        prior=prior,
        channels=channels,
        rate_hz=rate_hz,
    )


def psd_fc_lda(
    features: str = "",
    n_features: int = 6,
    forward: bool = False,
    spatial: str = "auto",
    method: str = "burg",
    order: int | str = 16,
    measure: str = "plv",
    cross_method: str = "welch",
    segment_s: float = 0.5,
    prior: bool = True,
    channels: Sequence[str] | None = None,
    rate_hz: float = 250.0,
) -> FeatureDecoder:
    """Take band powers and node strengths, a few of each; linear discriminant analysis."""
    return FeatureDecoder(
        "psd+fc",
        features,
        n_features,
        "lda",
        forward,
        spatial,
        method=method,
        order=order,
        measure=measure,
        cross_method=cross_method,
        segment_s=segment_s,
        prior=prior,
        channels=channels,
        rate_hz=rate_hz,
    )
