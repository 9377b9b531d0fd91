"""How a recorder behaves."""

from pydantic import Field

from bci.config import Settings

__all__ = ["RecorderSettings"]

#: Times `disk_stop_bytes` that must be free for a file to follow one that a full disk ended.
_ROOM = 4


class RecorderSettings(Settings):
    """Intervals and limits of a recorder.

    Attributes
    ----------
    write_s : float
        Between writes; each is handed to the system. What is not, a kill may take.
    sync_s : float
        Between syncs to the disk. What is not, a power cut may take.
    offsets_s : float
        Between clock offsets, and between boundaries.
    silent_s : float
        Without a sample for this long, a regular stream is announced as silent.
    drain_s : float
        How long after the stop what was sent before it may still arrive on streams that prove
        nothing (from push to arrival took 0.022 s at worst on this kind of stream with two
        processors for four busy processes).
    stop_s : float
        How long the disk may take at the stop; then the stop says what is not on it.
    require_all : bool
        Every query must match a stream at the start; else what is missing is waited for, and
        joins late.
    disk_warn_s : tuple of float
        At how much time left, at the present rate, the disk is spoken of.
    disk_stop_bytes : int
        Recording ends in order when only this is free: footers and the log still fit.
    n_gaps_kept : int
        Gaps a stream that are kept in memory; the file has all.
    n_notices_kept : int
        Notices that are kept in memory.
    """

    write_s: float = Field(default=0.05, gt=0, le=0.1)
    sync_s: float = Field(default=1.0, gt=0)
    offsets_s: float = Field(default=5.0, gt=0)
    silent_s: float = Field(default=0.8, gt=0)
    drain_s: float = Field(default=0.15, ge=0, le=5)
    stop_s: float = Field(default=15.0, gt=0, le=20)
    require_all: bool = True
    disk_warn_s: tuple[float, ...] = (600.0, 300.0, 120.0, 60.0)
    disk_stop_bytes: int = Field(default=8 << 20, ge=0)
    n_gaps_kept: int = Field(default=200, ge=1)
    n_notices_kept: int = Field(default=1000, ge=1)

    @property
    def room_bytes(self) -> int:
        """How much must be free for a file to follow one that a full disk ended."""
        return _ROOM * self.disk_stop_bytes
