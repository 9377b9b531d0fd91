"""A recording as a source: the same chunks, stamps and clock offsets that a live stream gives."""

import numpy as np

from bci.errors import SettingsError
from bci.sources.base import Chunk, StreamInfo
from bci.sources.recording import Recording

__all__ = ["PlaybackSource"]

#: A step of the sender's clock within a chunk: the chunk ends before it. Jitter is far smaller,
#: the smallest reset that a reader reports a second.
_CLOCK_STEP_S = 0.5


class PlaybackSource:
    """Yields a recording chunk by chunk, as fast as it is read.

    Pacing is not its job: who plays a recording in real time (the LSL outlet) waits for the
    stamps himself.

    Parameters
    ----------
    recording : Recording
    chunk_samples : int
        Length of a chunk; the last, and one before a reset of the sender's clock, may be shorter.
    start_sample : int
        Where in the recording to begin. `Chunk.first_sample` counts from there.

    Raises
    ------
    SettingsError
        When `chunk_samples` is below 1 or `start_sample` lies outside the recording.
    """

    def __init__(
        self, recording: Recording, *, chunk_samples: int = 32, start_sample: int = 0
    ) -> None:
        if chunk_samples < 1:
            raise SettingsError(f"chunk of {chunk_samples} samples: at least 1")
        if not 0 <= start_sample <= recording.n_samples:
            raise SettingsError(
                f"start sample {start_sample} lies outside {recording.path}, which holds "
                f"{recording.n_samples} samples"
            )
        self._info = recording.info
        self._chunk_samples = chunk_samples
        self._start = self._position = start_sample
        # Views of what nobody may write to: a chunk crosses threads.
        self._samples = recording.samples.view()
        self._stamps = recording.stamps.view()
        self._samples.flags.writeable = False
        self._stamps.flags.writeable = False
        offsets = recording.clock_offsets
        self._offsets = (
            np.interp(self._stamps, offsets[:, 0], offsets[:, 1])
            if len(offsets)
            else np.zeros(recording.n_samples)
        )
        steps = np.abs(np.diff(self._offsets)) > _CLOCK_STEP_S
        self._breaks = np.flatnonzero(steps) + 1

    @property
    def info(self) -> StreamInfo:
        """The description of the recorded stream."""
        return self._info

    @property
    def ended(self) -> bool:
        """True once the last sample was read."""
        return self._position >= len(self._stamps)

    def open(self) -> None:
        """Go to the first sample; once more to play again."""
        self._position = self._start

    def read(self, timeout_s: float = 0.0) -> Chunk | None:
        """Return the next chunk, None at the end; never waits.

        The chunk's clock offset is that of its first sample: the measured ones interpolated, the
        first and the last holding outside.
        """
        if self.ended:
            return None
        first = self._position
        stop = min(first + self._chunk_samples, len(self._stamps))
        ahead = int(np.searchsorted(self._breaks, first, side="right"))
        if ahead < len(self._breaks):
            stop = min(stop, int(self._breaks[ahead]))
        self._position = stop
        return Chunk(
            first_sample=first - self._start,
            samples=self._samples[first:stop],
            stamps=self._stamps[first:stop],
            clock_offset_s=float(self._offsets[first]),
        )

    def close(self) -> None:
        """Nothing is held: the recording belongs to who opened it."""
