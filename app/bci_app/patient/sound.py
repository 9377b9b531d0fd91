"""A beep without QtMultimedia, which is not part of the essentials of PySide6.

A short tone is written to a file once and played by what the system has: ``winsound`` on Windows,
``afplay`` on macOS, ``pw-play``, ``paplay`` or ``aplay`` elsewhere; else Qt's own beep, which many
desktops keep silent. It is played from a thread: a sound device that is missing, busy or broken
costs the run nothing. From the call to the ear some tens of milliseconds pass, not always as many:
no time is measured by a beep.
"""

import logging
import math
import queue
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import wave
from pathlib import Path

from PySide6.QtWidgets import QApplication

__all__ = ["Beeper"]

_log = logging.getLogger(__name__)

_RATE_HZ, _TONE_HZ, _LENGTH_S, _RISE_S, _LEVEL = 44100, 880.0, 0.12, 0.01, 0.4
_PLAYERS = ("pw-play", "paplay", "aplay", "afplay")
_PATIENCE_S = 5.0


class Beeper:
    """Plays a short tone; never raises, never waits.

    Attributes
    ----------
    problem : str
        Why no tone is heard, as far as can be known; empty: it should be.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._wishes: queue.Queue[bool] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        found = (shutil.which(name) for name in _PLAYERS)
        self._player = next((path for path in found if path), None)
        if self._player is None and sys.platform != "win32":
            self.problem = f"no program that plays sounds is there ({', '.join(_PLAYERS)})"

    def play(self) -> None:
        """Play the tone; while one is played, no other is begun."""
        if self.problem:
            QApplication.beep()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="beep", daemon=True)
            self._thread.start()
        try:
            self._wishes.put_nowait(True)
        except queue.Full:
            _log.debug("a tone is being played still")

    def close(self) -> None:
        """End its thread; more than once is harmless."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._wishes.put(False)
            thread.join(2 * _PATIENCE_S)

    def _run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="rolandic-", ignore_cleanup_errors=True) as folder:
            tone = Path(folder) / "tone.wav"
            try:
                write_tone(tone)
            except OSError as error:
                self.problem = f"the tone cannot be written: {error}"
            while self._wishes.get():
                if not self.problem:
                    self._play(tone)

    def _play(self, tone: Path) -> None:
        try:
            if sys.platform == "win32":
                import winsound

                winsound.PlaySound(str(tone), winsound.SND_FILENAME | winsound.SND_NODEFAULT)
            elif self._player is not None:
                subprocess.run(
                    [self._player, str(tone)],
                    check=True,
                    capture_output=True,
                    timeout=_PATIENCE_S,
                )
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.problem = f"no sound can be played: {error}"
            _log.warning("%s", self.problem)


def write_tone(path: Path) -> None:
    """Write the tone as a WAV file: 880 Hz, an eighth of a second, without clicks."""
    n = round(_LENGTH_S * _RATE_HZ)
    rise = _RISE_S * _RATE_HZ
    values = (
        _LEVEL
        * min(1.0, i / rise, (n - i) / rise)
        * math.sin(2 * math.pi * _TONE_HZ * i / _RATE_HZ)
        for i in range(n)
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(b"".join(struct.pack("<h", round(32767 * value)) for value in values))
