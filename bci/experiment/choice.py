"""What the clinician chose in the Features step: features, runs and trials, with undo."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bci.errors import SettingsError
from bci.features.grammar import Feature, parse_features
from bci.features.view import AnalysisView
from bci.signal.trials import TOLERANCE_S
from bci.workspace import SessionRecord

__all__ = ["Choice", "ChoiceHistory", "feature_name", "same_onset", "spoken_features"]

#: "C4 10-13" is what chips say, and people type.
_SPOKEN = re.compile(
    r"^((?:psd|fc)\s+)?([^\s;]+)[\s;]+(\d+(?:\.\d+)?)"
    r"(?:\s*(?:-|\u2013|to|:)\s*(\d+(?:\.\d+)?))?(?:\s*hz)?$",
    re.IGNORECASE,
)

#: How many changes can be undone.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice.

    Attributes
    ----------
    features : tuple of str
        As the record keeps them.
    runs : tuple of (str, bool, tuple of float)
        Of each run: its file, whether it is used, the onsets of the trials that were taken out (s).
    """

    features: tuple[str, ...]
    runs: tuple[tuple[str, bool, tuple[float, ...]], ...]

    @classmethod
    def of(cls, record: SessionRecord) -> "Choice":
        """Read the choice that a record holds."""
        return cls(
            tuple(record.features),
            tuple((run.file, run.used, tuple(run.left_out)) for run in record.runs),
        )

    def put(self, record: SessionRecord) -> None:
        """Make it the record's; runs that came later stay as they are."""
        record.features = list(self.features)
        for file, used, left_out in self.runs:
            for run in record.runs:
                if run.file == file:
                    run.used, run.left_out = used, list(left_out)


class ChoiceHistory:
    """Choices before and after the one that holds."""

    def __init__(self) -> None:
        self._before: list[Choice] = []
        self._after: list[Choice] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is one before."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is one after."""
        return bool(self._after)

    def changed(self, before: Choice) -> None:
        """Take note of what held before a change."""
        self._before = [*self._before, before][-_MOST:]
        self._after.clear()

    def undo(self, now: Choice) -> Choice:
        """Return what held before.

        Raises
        ------
        IndexError
            When nothing did.
        """
        found = self._before.pop()
        self._after.append(now)
        return found

    def redo(self, now: Choice) -> Choice:
        """Return what was undone.

        Raises
        ------
        IndexError
            When nothing was.
        """
        found = self._after.pop()
        self._before.append(now)
        return found


def feature_name(feature: Feature) -> str:
    """Return a feature as the record keeps it: power goes without saying.

    >>> feature_name(parse_features("C4;10:13")[0])
    'C4;10:13'
    """
    return str(feature).removeprefix("psd ")


def same_onset(onset_s: float, others_s: Iterable[float]) -> bool:
    """Say whether a cue is one of others."""
    return any(abs(onset_s - other_s) < TOLERANCE_S for other_s in others_s)


def spoken_features(text: str, view: AnalysisView | None) -> tuple[Feature, ...]:
    """Read features as people type them: ``C4;10:13``, or as they are shown, ``C4 10-13``.

    Parameters
    ----------
    text : str
    view : AnalysisView or None
        Of the analysis that they must be of.

    Raises
    ------
    SettingsError
        For what is no feature, or none of what is analysed.
    """
    said = []
    for part in re.split(r"[,+\n]", text):
        found = _SPOKEN.match(part.strip())
        if found is not None:
            kind, channel, low, high = found.groups()
            part = f"{kind or ''}{channel};{low}" + (f":{high}" if high else "")
        said.append(part)
    features = parse_features(", ".join(said))
    return features if view is None else tuple(_checked(feature, view) for feature in features)


def _checked(feature: Feature, view: AnalysisView) -> Feature:
    """Check a feature against what is analysed, and write its channel as that does."""
    found = view.map(feature.kind)
    if found is None:
        raise SettingsError(f"feature {feature}: switch connectivity on first")
    names = {name.lower(): name for name in found.channels}
    channel = names.get(feature.channel.lower())
    if channel is None:
        raise SettingsError(
            f"feature {feature}: {feature.channel} is no channel of this analysis; name another"
        )
    low, high = float(found.freqs_hz[0]), float(found.freqs_hz[-1])
    if feature.low_hz < low or feature.high_hz > high:
        raise SettingsError(
            f"feature {feature}: the analysis has {low:g} to {high:g} Hz; choose a band within"
        )
    return Feature(feature.kind, channel, feature.low_hz, feature.high_hz)
