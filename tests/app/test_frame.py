"""The rail, the strips and the notices say what is, in words."""

from pytestqt.qtbot import QtBot

from bci.experiment.session import Notice, Readiness
from bci.experiment.snapshots import SignalsSnapshot
from bci_app.frame.notices import NoticeBar
from bci_app.frame.rail import Rail
from bci_app.frame.strips import LowerStrip, UpperStrip

_STEPS = [("signals", "Signals"), ("calibrate", "Calibrate"), ("train", "Train")]
_STREAM = SignalsSnapshot(
    stream="gTec-32",
    rate_hz=250.0,
    state="receiving",
    age_ms=6.0,
    labels=("C3", "C4"),
    qualities=("good", "flat"),
    n_good=1,
    n_total=2,
)


def test_rail_says_what_is_done_and_why_a_later_step_is_not_ready(qtbot: QtBot) -> None:
    """Done, here, not yet: a sign each; below, the reason for the next that waits."""
    rail = Rail(_STEPS)
    qtbot.addWidget(rail)
    rail.set_current("calibrate")
    rail.set_readiness(
        {
            "signals": Readiness(done=True),
            "calibrate": Readiness(done=False),
            "train": Readiness(done=False, why_not="no calibration run yet"),
        }
    )
    assert [rail.mark(name) for name, _ in _STEPS] == ["✓", "▶", "○"]
    assert any("no calibration run yet" in said for said in texts(rail))


def test_rail_turns_red_with_the_reason_and_back(qtbot: QtBot) -> None:
    """Trouble shows at its step and in words; it goes when it is over."""
    rail = Rail(_STEPS)
    qtbot.addWidget(rail)
    rail.set_trouble("signals", "LSL stream 'gTec-32' has sent nothing for 2 s")
    assert rail.mark("signals") == "!"
    assert any("has sent nothing" in said for said in texts(rail))
    rail.set_trouble("signals", "")
    assert rail.mark("signals") == "▶"


def test_rail_asks_for_a_step_by_click(qtbot: QtBot) -> None:
    """A click names the step."""
    rail = Rail(_STEPS)
    qtbot.addWidget(rail)
    with qtbot.waitSignal(rail.chosen) as chosen:
        rail.findChild(object, "rail.train").click()  # type: ignore[attr-defined]
    assert chosen.args == ["train"]


def test_strip_shows_stream_age_and_electrodes(qtbot: QtBot) -> None:
    """What the lower strip says of a stream, and of none."""
    strip = LowerStrip()
    qtbot.addWidget(strip)
    strip.show_signals(_STREAM, running=True)
    assert strip.stream.text() == "gTec-32 250 Hz ✓"
    assert "6 ms" in strip.age.text()
    assert strip.quality.text() == "1/2 good"
    assert strip.stop.isEnabled()
    strip.show_signals(None, running=False)
    assert strip.stream.text() == "no amplifier"
    assert not strip.stop.isEnabled()


def test_recording_light_has_time_size_and_room(qtbot: QtBot) -> None:
    """The recording light says how long, how large, and how long the disk lasts."""
    strip = UpperStrip()
    qtbot.addWidget(strip)
    strip.show_recording(
        SignalsSnapshot(recording=True, recorded_s=761.0, recorded_bytes=412_000_000, disk_left_h=3)
    )
    assert strip.recording.text() == "● REC  12:41  412.0 MB  3 h left"
    strip.show_recording(SignalsSnapshot())
    assert "not recording" in strip.recording.text()


def test_lesser_notice_does_not_push_trouble_aside(qtbot: QtBot) -> None:
    """Trouble stays until it is dismissed; what came meanwhile is in the list."""
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.add(Notice("the amplifier is gone", "trouble"))
    bar.add(Notice("recorded in full", "info"))
    assert bar.text == "the amplifier is gone"
    bar.dismiss()
    assert bar.text == ""
    assert bar.listing().splitlines()[0].endswith("recorded in full")
    assert "the amplifier is gone" in bar.listing()


def texts(rail: Rail) -> list[str]:
    """Return what labels of the rail say."""
    from PySide6.QtWidgets import QLabel

    return [label.text() for label in rail.findChildren(QLabel)]
