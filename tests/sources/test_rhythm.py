"""How a sender's pushes are told from its silences."""

import pytest

from bci.sources.rhythm import PushRhythm

SILENT_S = 0.8


def test_hangs_teach_nothing() -> None:
    """However often a sender hangs, and sends then what it held back, the next hang is as late."""
    rhythm, now_s = PushRhythm(250.0), 0.0
    for hang_s in (2.0, 3.0, 5.0, 8.0):
        for _ in range(60):  # sample by sample, for a quarter of a second
            now_s += 0.004
            rhythm.arrived(1, now_s)
        assert rhythm.patience_s(SILENT_S) == SILENT_S
        now_s += hang_s
        rhythm.arrived(round(250 * hang_s), now_s)
        assert rhythm.patience_s(SILENT_S) == SILENT_S


def test_a_sender_that_never_pauses_is_not_one_push() -> None:
    """Samples that come one by one for minutes are small pushes, whatever lies between them."""
    rhythm = PushRhythm(1000.0)
    for k in range(60_000):
        rhythm.arrived(1, k / 1000)
    assert rhythm.patience_s(SILENT_S) == SILENT_S


@pytest.mark.parametrize("pieces", [1, 2])
def test_long_pushes_are_waited_for(pieces: int) -> None:
    """A sender that pushes 2 s at once is waited for longer, also when some come in pieces."""
    rhythm = PushRhythm(100.0)
    for k in range(8):
        if k % 4 == 0:
            for piece in range(pieces):
                rhythm.arrived(200 // pieces, 2.0 * k + 0.1 * piece)
        else:
            rhythm.arrived(200, 2.0 * k)
    assert rhythm.patience_s(SILENT_S) == pytest.approx(3.0)


def test_what_was_queued_before_is_no_push() -> None:
    """A first arrival of ten seconds of backlog is forgotten with the next."""
    rhythm = PushRhythm(250.0)
    rhythm.arrived(2500, 0.0)
    rhythm.arrived(5, 0.1)
    assert rhythm.patience_s(SILENT_S) == SILENT_S
