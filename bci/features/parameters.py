"""All parameters of an analysis, as one hashed thing."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from bci.config import EpochSettings, Settings
from bci.errors import SettingsError
from bci.features.cache import content_hash
from bci.features.erds import ErdsSettings
from bci.features.grammar import parse_features
from bci.features.selection import SelectionSettings
from bci.features.settings import ConnectivitySettings, SpectrumSettings

__all__ = ["AnalysisSettings"]


class AnalysisSettings(Settings):
    """All parameters of an analysis.

    Attributes
    ----------
    name : str
        Letters, digits and hyphens; for people only: the hash does not hang on it.
    epochs : EpochSettings
        One window a trial. The filter's band should be wider than what is looked at.
    montage : str
        Where the electrodes are, see `bci.features.scalp.read_montage`; empty: where the stream
        or the standard head has them.
    spatial : str
        See `bci.features.spatial.spatial_filter`.
    spectrum : SpectrumSettings
    connectivity : ConnectivitySettings or None
        None: power only.
    partners : tuple of str
        Channels that node strength counts; empty: all.
    test, level, n_shuffles
        Of `bci.features.contrast.contrast`.
    clusters : bool
        Test clusters over channels and frequencies, too, by `n_permutations`.
    erds : ErdsSettings or None
        None: no ERD/ERS maps.
    erds_channels : tuple of str
        Channels with such a map; empty: C3, Cz and C4, or the first three.
    selection : SelectionSettings
        What suggestions keep to; as many of each kind.
    n_bootstraps : int
        For the stability of suggestions.
    features : tuple of str
        Features that are looked at, suggested or not, such as ``"C4;13:16"``.
    seed : int
        Of all that is drawn at random.
    """

    name: str = Field(default="analysis", pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$")
    epochs: EpochSettings = EpochSettings(band_hz=(2.0, 45.0))
    montage: str = ""
    spatial: str = "auto"
    spectrum: SpectrumSettings = SpectrumSettings()
    connectivity: ConnectivitySettings | None = ConnectivitySettings()
    partners: tuple[str, ...] = ()
    test: Literal["wilcoxon", "t"] = "wilcoxon"
    level: float = Field(default=0.05, gt=0, lt=1)
    n_shuffles: int = Field(default=200, ge=20)
    clusters: bool = False
    n_permutations: int = Field(default=1000, ge=100)
    erds: ErdsSettings | None = ErdsSettings()
    erds_channels: tuple[str, ...] = ()
    selection: SelectionSettings = SelectionSettings()
    n_bootstraps: int = Field(default=50, ge=1)
    features: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)

    @field_validator("features")
    @classmethod
    def _readable(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(f) for text in features for f in parse_features(text))
        except SettingsError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.epochs.band_hz
        if self.epochs.length_s is not None:
            raise ValueError("an analysis takes one window a trial: leave out length and step")
        if self.spectrum.fmin_hz < low or self.spectrum.fmax_hz > high:
            raise ValueError(
                f"frequencies from {self.spectrum.fmin_hz:g} to {self.spectrum.fmax_hz:g} Hz reach "
                f"beyond the filter's pass band, {low:g} to {high:g} Hz: widen it, or analyse less"
            )
        return self

    @property
    def content(self) -> str:
        """Hash of all parameters but the name, in hexadecimal."""
        return content_hash(self.model_dump(mode="json", exclude={"name"}))
