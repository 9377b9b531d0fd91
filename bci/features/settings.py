"""What an analysis of features computes: one set of parameters, offline and online."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bci.config import Settings

__all__ = ["CONNECTIVITY", "ConnectivitySettings", "SpectrumSettings"]

#: Measures of connectivity.
CONNECTIVITY = ("coherence", "imaginary", "abs_imaginary", "wpli", "plv", "ciplv")


class SpectrumSettings(Settings):
    """How the power of a window is spread over frequencies.

    Attributes
    ----------
    method : {"burg", "welch", "multitaper"}
    order : int or {"aic", "bic"}
        Of the autoregressive model (``"burg"``): a number, or how it is chosen, once for all
        windows and channels; see `bci.features.burg.best_order`.
    fmin_hz, fmax_hz : float
        First and last frequency.
    step_hz : float
        From one frequency to the next. Welch's and multitaper's spectra have the resolution of
        their segments, and are taken at the nearest frequency that they have.
    segment_s : float
        Length of a segment (``"welch"``); segments overlap by half, under a Hann window.
    bandwidth_hz : float
        Full bandwidth of the tapers (``"multitaper"``).
    """

    method: Literal["burg", "welch", "multitaper"] = "burg"
    order: int | Literal["aic", "bic"] = Field(default=16)
    fmin_hz: float = Field(default=4.0, ge=0)
    fmax_hz: float = Field(default=40.0, gt=0)
    step_hz: float = Field(default=1.0, gt=0)
    segment_s: float = Field(default=1.0, gt=0)
    bandwidth_hz: float = Field(default=4.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.fmin_hz < self.fmax_hz:
            raise ValueError(
                f"frequencies from {self.fmin_hz:g} to {self.fmax_hz:g} Hz: the last must lie "
                "above the first"
            )
        if isinstance(self.order, int) and self.order < 1:
            raise ValueError(f"order {self.order}: give 1 or more, or aic or bic")
        return self


class ConnectivitySettings(Settings):
    """How alike channels are, frequency by frequency.

    Attributes
    ----------
    measure : {"coherence", "imaginary", "abs_imaginary", "wpli", "plv", "ciplv"}
        Magnitude-squared coherence; the imaginary part of coherency and its absolute value (Nolte
        et al. 2004), which volume conduction alone leaves at zero; the weighted phase-lag index
        (Vinck et al. 2011); the phase-locking value (Lachaux et al. 1999) and its corrected
        imaginary form (Bruna et al. 2018).
    method : {"welch", "multitaper", "burg"}
        Where cross-spectra come from. ``"burg"``: two-channel autoregressive models, for the first
        three measures only: the others need phases of several segments or tapers.
    order : int
        Of the two-channel models (``"burg"``).
    segment_s : float
        Length of a segment (``"welch"``).
    overlap : float
        Share of a segment that the next one repeats.
    bandwidth_hz : float
        Full bandwidth of the tapers (``"multitaper"``).
    """

    measure: Literal["coherence", "imaginary", "abs_imaginary", "wpli", "plv", "ciplv"] = (
        "abs_imaginary"
    )
    method: Literal["welch", "multitaper", "burg"] = "welch"
    order: int = Field(default=10, ge=1)
    segment_s: float = Field(default=1.0, gt=0)
    overlap: float = Field(default=0.75, ge=0, lt=1)
    bandwidth_hz: float = Field(default=4.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method == "burg" and self.measure in ("wpli", "plv", "ciplv"):
            raise ValueError(
                f"measure {self.measure!r} needs phases of several segments: choose method welch "
                "or multitaper"
            )
        return self
