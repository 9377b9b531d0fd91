"""What an analysis says in words, rows and files of commas."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from bci.features.analysis import Analysis, FeatureMap
from bci.features.palette import words
from bci.features.parameters import AnalysisSettings
from bci.features.plan import bands_within
from bci.features.scalp import is_sensorimotor
from bci.features.spectra import bins_of

__all__ = [
    "MEASURES",
    "chance_lines",
    "features_csv",
    "laterality_rows",
    "peak_rows",
    "signals_line",
    "suggestions_csv",
    "training_line",
]

#: Measures of connectivity, as people write them: all are without a unit.
MEASURES = {
    "coherence": "Coherence",
    "imaginary": "Imaginary coherency",
    "abs_imaginary": "Imaginary coherency (absolute)",
    "wpli": "Weighted phase-lag index",
    "plv": "Phase-locking value",
    "ciplv": "Phase-locking value (corrected, imaginary)",
}


def signals_line(analysis: Analysis) -> str:
    """Say filter, reference and spectra, as a caption needs it."""
    s = analysis.settings
    low, high = s.epochs.band_hz
    start, stop = s.epochs.window_s
    order = f" of order {analysis.order}" if analysis.order else ""
    return (
        f"{start:g} to {stop:g} s after the cue, {low:g} to {high:g} Hz, causal, spatial filter: "
        f"{words(analysis.spatial)}; {words(s.spectrum.method)} spectra{order}"
    )


def chance_lines(analysis: Analysis) -> list[str]:
    """Say what chance looks like, and what the suggestions are not."""
    lines = []
    if len(analysis.classes) == 2:
        lines.append(f"R2 and d are positive where {analysis.classes[1]} has more.")
    for found in (analysis.power, analysis.strength):
        if found is None:
            continue
        c = found.contrast
        what = "power" if found.kind == "psd" else "connectivity"
        lines.append(
            f"By chance, once in twenty times, one feature of {what} reaches an R2 of "
            f"{c.chance_r2:.2f}, and the largest of all {c.r2.size} one of "
            f"{c.chance_largest_r2:.2f}; here the largest is {np.abs(c.r2).max():.2f} "
            f"(p = {c.p_largest:.2g}), and {int(c.significant.sum())} are significant (false "
            f"discovery rate {c.level:g})."
        )
        if found.clusters is not None:
            p = found.clusters.p
            least = f", the smallest p = {p[0]:.2g}" if len(p) else ""
            lines.append(
                f"Clusters of neighbouring channels and frequencies in {what}: "
                f"{int((p < c.level).sum())} of {len(p)} significant by permutation{least}."
            )
    lines.append(
        "Suggestions were found on these very trials: a score of theirs on the same trials means "
        "nothing. bci evaluate --decoder psd-lda chooses anew in each fold; new recordings tell."
    )
    return lines


def training_line(analysis: Analysis) -> str:
    """Say how to decode with the features that were asked for, else with those suggested.

    What `bci train` would do otherwise is said in full: it filters 8 to 32 Hz, where some
    suggestions are not, and its connectivity is another.
    """
    s = analysis.settings
    usual = AnalysisSettings()
    shown = [item.feature for item in analysis.features or analysis.suggestions]
    # A decoder counts all partners.
    shown = [feature for feature in shown if feature.kind == "psd" or not s.partners]
    kinds = sorted({feature.kind for feature in shown}, reverse=True)
    if not kinds:
        return "None of these features can be decoded: node strength of chosen partners cannot."
    low, high = s.epochs.band_hz
    start, stop = s.epochs.window_s
    said = [f"--decoder {'+'.join(kinds)}-lda --band {low:g} {high:g} --window {start:g} {stop:g}"]
    if s.epochs.channels:
        said.append(f"--channels {','.join(s.epochs.channels)}")
    params: dict[str, object] = {}
    if s.spatial != usual.spatial:
        params["spatial"] = s.spatial
    if "psd" in kinds and s.spectrum.method != usual.spectrum.method:
        params |= {"method": s.spectrum.method, "segment_s": f"{s.spectrum.segment_s:g}"}
    if "psd" in kinds and s.spectrum.order != usual.spectrum.order:
        params["order"] = s.spectrum.order
    if "fc" in kinds and s.connectivity is not None:
        params |= {"measure": s.connectivity.measure, "cross_method": s.connectivity.method}
        params["segment_s"] = f"{s.connectivity.segment_s:g}"
    names = ", ".join(str(feature).removeprefix("psd ") for feature in shown)
    said += [f"--param {name}={value}" for name, value in params.items()]
    return (
        "To decode with the features above, with recordings and --event as here: bci train REC... "
        f'{" ".join(said)} --param "features={names}". The score that it prints is then too high.'
    )


def peak_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """Return the individual peaks of sensorimotor channels, or all where none is; a head first.

    Empty where no channel has any.
    """
    marked = [is_sensorimotor(name) for name in analysis.channels]
    rows = []
    for channel, name in enumerate(analysis.channels):
        found = [analysis.peaks[band][channel] for band in ("mu", "beta")]
        if (marked[channel] or not any(marked)) and not np.isnan([peak[0] for peak in found]).all():
            rows.append((name, *map(_peak, found)))
    return [("channel", "mu", "beta"), *rows] if rows else []


def _peak(peak: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return "" if np.isnan(peak[0]) else f"{peak[0]:.1f} Hz, {peak[1]:.1f} dB"


def laterality_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """Return the laterality of power of sensorimotor pairs, by class and rhythm; a head first.

    Empty where no two channels mirror each other.
    """
    found = analysis.power
    bands = {n: bins_of(found.freqs_hz, b) for n, b in bands_within(found.freqs_hz).items()}
    rows = []
    for pair, (left, right) in enumerate(found.laterality_pairs):
        if is_sensorimotor(left):
            values = found.laterality[:, pair]
            means = [
                values[analysis.y == k][:, bins].mean()
                for bins in bands.values()
                for k in range(len(analysis.classes))
            ]
            rows.append((f"{left}, {right}", *(f"{mean:+.2f}" for mean in means)))
    head = [f"{band}, {name}" for band in bands for name in analysis.classes]
    return [("pair", *head), *rows] if rows else []


def features_csv(analysis: Analysis) -> str:
    """Return every channel and frequency of both kinds, a line each."""
    rows: list[list[Any]] = [
        ["kind", "channel", "freq_hz", "r2", "d", "p", "significant"]
        + [f"mean_{name}" for name in analysis.classes]
    ]
    for found in (analysis.power, analysis.strength):
        if found is not None:
            rows += _map_rows(analysis, found)
    return _csv(rows)


def _map_rows(analysis: Analysis, found: FeatureMap) -> list[list[Any]]:
    c, means = found.contrast, found.means(analysis.y)
    return [
        [
            found.kind,
            channel,
            f"{freq_hz:g}",
            f"{c.r2[i, j]:.5f}",
            "" if c.d is None else f"{c.d[i, j]:.5f}",
            f"{c.p[i, j]:.3g}",
            int(c.significant[i, j]),
            *(f"{mean:.6g}" for mean in means[:, i, j]),
        ]
        for i, channel in enumerate(analysis.channels)
        for j, freq_hz in enumerate(found.freqs_hz)
    ]


def suggestions_csv(analysis: Analysis) -> str:
    """Return the features that were suggested, and those that were asked for."""
    rows: list[list[Any]] = [["origin", "feature", "r2", "d", "p", "stability"]]
    for origin, described in (("suggested", analysis.suggestions), ("asked", analysis.features)):
        for item in described:
            said = item.as_dict()
            rows.append([origin, *("" if value is None else value for value in said.values())])
    return _csv(rows)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
