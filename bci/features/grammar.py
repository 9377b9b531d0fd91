"""Features by name, as clinicians type them: ``C4;13:16``."""

import re
from dataclasses import dataclass
from typing import Literal

from bci.errors import SettingsError

__all__ = ["KINDS", "Feature", "parse_features"]

#: Power, and connectivity (node strength).
KINDS = ("psd", "fc")

_FEATURE = re.compile(
    r"(?:(?P<kind>[A-Za-z]+)\s+)?(?P<channel>[^;,+]+?)\s*;\s*"
    r"(?P<low>\d+(?:\.\d+)?)\s*(?::\s*(?P<high>\d+(?:\.\d+)?))?"
)


@dataclass(frozen=True, slots=True)
class Feature:
    """One number a window: what a channel does within a band.

    Attributes
    ----------
    kind : {"psd", "fc"}
        Log of the mean power density, or the mean node strength.
    channel : str
    low_hz, high_hz : float
        Both ends are included; equal for a single frequency.
    """

    kind: Literal["psd", "fc"]
    channel: str
    low_hz: float
    high_hz: float

    def __str__(self) -> str:
        """Return it as `parse_features` reads it.

        >>> str(Feature("psd", "C4", 13.0, 16.0))
        'psd C4;13:16'
        """
        band = f"{self.low_hz:g}"
        if self.high_hz != self.low_hz:
            band += f":{self.high_hz:g}"
        return f"{self.kind} {self.channel};{band}"


def parse_features(text: str, kind: Literal["psd", "fc"] = "psd") -> tuple[Feature, ...]:
    """Read features, separated by commas, plus signs or new lines.

    Parameters
    ----------
    text : str
        Of each its channel, a semicolon, and a frequency or a band (Hz); before it, where it is
        not to be `kind`, its own kind.
    kind : {"psd", "fc"}

    Raises
    ------
    SettingsError
        For what is no feature, an unknown kind, a band that ends before it begins.

    Examples
    --------
    >>> [str(feature) for feature in parse_features("C4;13:16, fc Cz;10")]
    ['psd C4;13:16', 'fc Cz;10']
    """
    features = []
    for part in re.split(r"[,+\n]", text):
        if not part.strip():
            continue
        found = _FEATURE.fullmatch(part.strip())
        if found is None:
            raise SettingsError(
                f"feature {part.strip()!r}: write a channel, a semicolon and a band, such as "
                "C4;13:16"
            )
        named = (found["kind"] or kind).lower()
        if named not in KINDS:
            raise SettingsError(
                f"feature {part.strip()!r}: kind {found['kind']!r} is none of {', '.join(KINDS)}"
            )
        low, high = float(found["low"]), float(found["high"] or found["low"])
        if high < low:
            raise SettingsError(f"feature {part.strip()!r}: the band ends before it begins")
        features.append(Feature("psd" if named == "psd" else "fc", found["channel"], low, high))
    if not features:
        raise SettingsError(f"features {text!r}: name at least one, such as C4;13:16")
    return tuple(features)
