"""Causal filters, windows and artifact gating: the same for streams and recordings."""

from bci.signal.filters import CausalFilter, design_bandpass, filter_segments
from bci.signal.windows import hop_samples, span_ends, window_samples, window_starts

__all__ = [
    "CausalFilter",
    "design_bandpass",
    "filter_segments",
    "hop_samples",
    "span_ends",
    "window_samples",
    "window_starts",
]
