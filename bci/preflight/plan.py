"""What a session is going to need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from bci.config import LslSettings, Settings
from bci.recording.settings import RecorderSettings
from bci.sources.base import StreamInfo
from bci.sources.discovery import StreamQuery

__all__ = ["ExpectedStream", "Plan"]


class ExpectedStream(Settings):
    """A stream that a session wants, and what is known of it beforehand.

    Attributes
    ----------
    name, kind, source_id, predicate : str or None
        Which is meant, as `StreamQuery` has it; at least one. A source id says it best: names are
        shared by devices of one make.
    required : bool
        Without it the session must not begin; else its absence is a warning.
    every : bool
        All that match are meant; else exactly one must.
    rate_hz : float or None
        The nominal rate that it must declare; 0: irregular.
    n_channels : int or None
    channels : tuple of str
        Labels that must be among its channels.
    unit : str or None
        Unit of its EEG channels, instead of what it declares.
    """

    name: str | None = None
    kind: str | None = None
    source_id: str | None = None
    predicate: str | None = None
    required: bool = True
    every: bool = False
    rate_hz: float | None = Field(default=None, ge=0, le=1e6)
    n_channels: int | None = Field(default=None, ge=0, le=100_000)
    channels: tuple[str, ...] = ()
    unit: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any((self.name, self.kind, self.source_id, self.predicate)):
            raise ValueError("say which stream is meant: source_id, name, kind or predicate")
        return self

    @property
    def query(self) -> StreamQuery:
        """What to look for."""
        return StreamQuery(
            name=self.name, kind=self.kind, source_id=self.source_id, predicate=self.predicate
        )

    @property
    def label(self) -> str:
        """Say in one word which is meant."""
        return self.source_id or self.name or self.kind or self.predicate or ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be recorded, where, and for how long.

    Attributes
    ----------
    folder : Path, str or None
        Where recordings go; an empty text is no folder (``Path("")`` would be the current one).
    streams : tuple of ExpectedStream
    planned_s : float or None
        How long the session takes (s); None: unknown.
    lsl : LslSettings or None
        How far to look, and whom to ask (`known_peers`); None: what holds in this process.
    stop_bytes, room_bytes : int
        Recording ends when only so much is free, and begins anew when so much is.
    fits : mapping of str to callable
        By the label of an expected stream: what its description must pass, such as a model's
        `match_stream`; it raises `InputError` for one that does not fit.
    """

    folder: Path | str | None
    streams: tuple[ExpectedStream, ...]
    planned_s: float | None = None
    lsl: LslSettings | None = None
    stop_bytes: int = RecorderSettings().disk_stop_bytes
    room_bytes: int = RecorderSettings().room_bytes
    fits: Mapping[str, Callable[[StreamInfo], object]] = field(default_factory=dict)
