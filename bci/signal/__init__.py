"""Causal filters, windows and artifact gating: the same for streams and recordings."""

from typing import TYPE_CHECKING

from bci.lazy import names_of

if TYPE_CHECKING:
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

__getattr__ = names_of(
    __name__,
    {
        "CausalFilter": "bci.signal.filters",
        "design_bandpass": "bci.signal.filters",
        "filter_segments": "bci.signal.filters",
        "hop_samples": "bci.signal.windows",
        "span_ends": "bci.signal.windows",
        "window_samples": "bci.signal.windows",
        "window_starts": "bci.signal.windows",
    },
)
