"""The Signals step, as a clinician uses it: by what follows from a click."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from bci.events import Marker
from bci.experiment.placement import Placement
from bci.experiment.searching import FoundEntry
from bci.experiment.session import Session
from bci.experiment.signals import UnitQuestion
from bci.sources.clock import lsl_clock
from bci.sources.discovery import StreamQuery
from bci.workspace import Workspace
from bci_app.steps.signals import SignalsStep
from bci_app.theme import apply_theme
from bci_app.widgets.quality_bars import QualityBars
from bci_app.widgets.stream_list import SIMULATED, StreamList

from .conftest import setup_of

pytestmark = pytest.mark.filterwarnings("default")


def entry(name: str, source_id: str, why_not: str = "", *, twice: bool = False) -> FoundEntry:
    """Return a stream as it is found."""
    query = StreamQuery(source_id=source_id)
    return FoundEntry(name, "EEG", source_id, "host", "float32", 250.0, 8, why_not, twice, query)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a session that is connected to a simulated person."""
    session = Session(Workspace(tmp_path_factory.mktemp("live") / "study"), setup_of())
    session.signals.start_simulator({"ability": 1.0, "seed": 2})
    session.signals.wait(60.0)
    assert not session.signals.failure
    yield session
    session.close()


@pytest.fixture
def step(qtbot: QtBot, qapp: QApplication) -> Iterator[SignalsStep]:
    """Return a step that shows no session."""
    apply_theme(qapp, dark=True)
    made = SignalsStep()
    qtbot.addWidget(made)
    made.resize(1120, 680)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.unbind()
    made.close()


@pytest.fixture
def traces_step(step: SignalsStep, live: Session, qtbot: QtBot) -> SignalsStep:
    """Return a step that shows the traces of the simulated person."""
    step.bind(live)
    step.to_traces.click()
    qtbot.waitUntil(lambda: bool(step.live_page.traces.labels), timeout=20_000)
    return step


def test_the_empty_step_says_what_to_do(step: SignalsStep) -> None:
    """Without a session nothing can be pressed; each place says what will appear."""
    assert not step.connect_page.connect_button.isEnabled()
    assert not step.to_traces.isEnabled()
    assert not step.disconnect_button.isEnabled()
    assert "Session" in step.connect_page.hint.text()
    assert "Press Check" in step.connect_page.checks.toPlainText()


def test_the_simulated_person_is_connected_by_one_click(
    step: SignalsStep, new_session: Callable[..., Session], qtbot: QtBot
) -> None:
    """It is proposed where there is nothing else; then traces move and the pre-flight is made."""
    live = new_session()
    step.bind(live)
    page = step.connect_page
    qtbot.waitUntil(lambda: live.signals.found is not None, timeout=10_000)
    page.streams.choose(SIMULATED)
    qtbot.mouseClick(page.connect_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.signals.acquisition is not None, timeout=40_000)
    qtbot.waitUntil(lambda: step.to_traces.isChecked(), timeout=40_000)
    assert step.stream.text() == "Simulated person"
    traces = step.live_page.traces
    qtbot.waitUntil(lambda: len(traces.labels) == 22, timeout=20_000)
    with qtbot.waitSignals([traces.advanced] * 20, timeout=10_000):
        pass
    qtbot.waitUntil(lambda: "good" in step.live_page.good.text(), timeout=20_000)
    qtbot.waitUntil(lambda: len(step.live_page.scalp.placement.names) == 22, timeout=10_000)
    qtbot.waitUntil(lambda: "ready" in page.counts.text(), timeout=20_000)
    assert "2 found" in page.counts.text()
    step.unbind()


def test_a_click_on_a_label_marks_it_bad(
    traces_step: SignalsStep, live: Session, qtbot: QtBot
) -> None:
    """And a second takes it back; the scalp does the same."""
    page = traces_step.live_page
    traces = page.traces
    at = QPoint(30, round(traces.row_middle("C3")))
    qtbot.mouseClick(traces.gutter, Qt.MouseButton.LeftButton, pos=at)
    assert live.setup.bad_channels == ("C3",)
    assert traces.marks["C3"].marked
    assert "C3" in traces_step.message.text()
    qtbot.mouseClick(traces.gutter, Qt.MouseButton.LeftButton, pos=at)
    assert live.setup.bad_channels == ()
    qtbot.waitUntil(lambda: "C4" in page.scalp.placement.names, timeout=10_000)
    place = page.scalp.place_of("C4").toPoint()
    qtbot.mouseClick(page.scalp, Qt.MouseButton.LeftButton, pos=place)
    assert live.setup.bad_channels == ("C4",)
    page.toggle_bad("C4")


def test_the_channel_under_the_mouse_has_its_spectrum(
    traces_step: SignalsStep, qtbot: QtBot
) -> None:
    """In the traces and on the scalp; elsewhere it is the median."""
    page = traces_step.live_page
    qtbot.waitUntil(lambda: bool(page.spectrum.caption()), timeout=20_000)
    QTest.mouseMove(page.traces.canvas, QPoint(200, round(page.traces.row_middle("Cz"))))
    qtbot.waitUntil(lambda: page.spectrum.channel == "Cz", timeout=20_000)
    assert page.scalp.pointed == "Cz"
    page.traces.point("")
    assert page.spectrum.channel == ""
    assert "unfiltered" in page.spectrum.caption()


def test_filters_and_scale_are_for_the_eye_only(
    traces_step: SignalsStep, live: Session, qtbot: QtBot
) -> None:
    """The feed takes them, the caption says them, the session's settings stay."""
    page, before = traces_step.live_page, live.setup
    page.highpass.setCurrentIndex(page.highpass.findText("2 Hz"))
    page.notch.setCurrentIndex(page.notch.findText("off"))
    page.span.setCurrentIndex(page.span.findText("5 s"))
    feed = page.traces.feed
    assert feed is not None
    assert (feed.view.span_s, str(feed.view.display)) == (5, "2-40 Hz")
    assert "2-40 Hz" in page.caption.text()
    assert "reference as recorded" in page.caption.text()
    qtbot.waitUntil(lambda: feed.shown is not None and feed.shown.view == feed.view, timeout=5000)
    old = page.scale.currentData()
    page.change_scale(1)
    assert page.scale.currentData() < old
    assert page.traces.canvas.scale_v == pytest.approx(1e-6 * page.scale.currentData())
    assert live.setup == before


def test_markers_appear_in_the_lane(traces_step: SignalsStep, live: Session, qtbot: QtBot) -> None:
    """A cue that goes out over LSL stands below the traces at its time."""
    lane = traces_step.live_page.lane
    live.cues.push("right_hand", lsl_clock())
    qtbot.waitUntil(
        lambda: any(marker.label == "right_hand" for _, marker in lane.placed), timeout=10_000
    )
    column = next(c for c, marker in lane.placed if marker.label == "right_hand")
    canvas = traces_step.live_page.traces.canvas
    qtbot.waitUntil(lambda: 0 < canvas.x_of(column) < canvas.width(), timeout=5000)


def test_nothing_is_drawn_while_it_is_hidden(
    traces_step: SignalsStep, live: Session, qtbot: QtBot
) -> None:
    """The thread that makes columns ends, the search too; both return with the step."""
    assert live.signals.traces is not None
    traces_step.hide()
    assert live.signals.traces is None
    assert live.signals.found is None
    traces_step.show()
    qtbot.waitUntil(lambda: live.signals.traces is not None, timeout=5000)


def test_why_traces_stand_still_is_written_over_them(traces_step: SignalsStep) -> None:
    """What to look at, in the place where the eye is."""
    traces = traces_step.live_page.traces
    traces.say("has sent nothing for 3.0 s: is the amplifier on, is its cable in?")
    assert "amplifier" in traces.canvas.text
    image = traces.grab().toImage()
    assert not image.isNull()
    traces.say("")


@pytest.mark.parametrize("dark", [True, False])
def test_themes_repaint_everything(
    traces_step: SignalsStep, qapp: QApplication, dark: bool
) -> None:
    """The traces' ground is that of the theme, in the picture that goes round too."""
    from bci_app.theme import tokens

    apply_theme(qapp, dark=dark)
    canvas = traces_step.live_page.traces.canvas
    canvas.lines = ()
    feed = traces_step.live_page.traces.feed
    assert feed is not None
    assert feed.shown is not None
    canvas.advance(feed.shown)
    image = canvas.grab().toImage()
    colours = [image.pixelColor(x, 1).name() for x in range(0, image.width(), 7)]
    assert tokens().panel in colours


def test_every_action_can_be_triggered(
    traces_step: SignalsStep, live: Session, qtbot: QtBot
) -> None:
    """By its key: each does what its text says, none fails; the last lets go of the amplifier."""
    offered = {info.id: info for info in traces_step.actions_offered()}
    assert len({info.shortcut for info in offered.values()}) == len(offered)
    offered["signals.show_connect"].triggered()
    assert traces_step.to_connect.isChecked()
    offered["signals.show_traces"].triggered()
    assert traces_step.to_traces.isChecked()
    scale = traces_step.live_page.scale
    before = scale.currentIndex()
    offered["signals.finer"].triggered()
    offered["signals.coarser"].triggered()
    assert scale.currentIndex() == before
    offered["signals.check_now"].triggered()
    assert live.signals.checking
    offered["signals.disconnect_stream"].triggered()
    qtbot.waitUntil(lambda: live.signals.acquisition is None, timeout=20_000)
    assert live.signals.snapshot().state == "none"
    qtbot.waitUntil(lambda: traces_step.to_connect.isChecked(), timeout=20_000)
    assert not traces_step.disconnect_button.isEnabled()


def test_a_failed_connection_is_said_where_it_was_wished(
    step: SignalsStep, live: Session, qtbot: QtBot
) -> None:
    """With what is there instead."""
    live.signals.wait(40.0)
    step.bind(live)
    live.signals.connect(StreamQuery(source_id="nobody"))
    qtbot.waitUntil(lambda: bool(live.signals.failure), timeout=30_000)
    qtbot.waitUntil(lambda: "nobody" in step.connect_page.hint.text(), timeout=5000)
    assert step.connect_page.hint.property("role") == "trouble"


def test_the_unit_is_asked_in_the_place(
    step: SignalsStep, live: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The likely one is proposed; a click answers."""
    step.bind(live)
    answers: list[str] = []
    monkeypatch.setattr(live.signals, "declare_unit", answers.append)
    asker = step.connect_page.unit
    assert not asker.isVisible()
    asker.ask(UnitQuestion("the stream names no unit", "mV", StreamQuery(source_id="a")))
    assert asker.isVisible()
    assert asker.buttons["mV"].property("role") == "primary"
    qtbot.mouseClick(asker.buttons["V"], Qt.MouseButton.LeftButton)
    assert answers == ["V"]
    assert not asker.isVisible()


# --- the list of streams, by itself ---------------------------------------------------------


def test_the_list_keeps_what_was_chosen(qtbot: QtBot) -> None:
    """A stream that appears takes the place of the proposal, never of a choice."""
    streams = StreamList()
    qtbot.addWidget(streams)
    streams.set_entries(())
    assert streams.chosen == SIMULATED
    streams.set_entries((entry("amp", "a"),))
    assert streams.chosen_entry is not None
    assert streams.chosen_entry.name == "amp"
    streams.choose(SIMULATED)
    streams.set_entries((entry("amp", "a"), entry("other", "b")))
    assert streams.chosen == SIMULATED


def test_the_last_used_stream_is_proposed(qtbot: QtBot) -> None:
    """Before others; what cannot be an amplifier cannot be chosen."""
    streams = StreamList()
    qtbot.addWidget(streams)
    twins = entry("twin", "t", "is there twice", twice=True)
    streams.set_entries((entry("amp", "a"), entry("mine", "b"), twins), last="b")
    assert streams.chosen_entry is not None
    assert streams.chosen_entry.name == "mine"
    row = [streams.item(k, 0).text() for k in range(streams.rowCount())].index("twin")
    assert not streams.item(row, 0).flags() & Qt.ItemFlag.ItemIsSelectable
    assert "twice" in streams.item(row, 0).toolTip()


def test_quality_bars_name_what_is_not_good(qtbot: QtBot) -> None:
    """In words for who cannot see colours; heights differ too."""
    bars = QualityBars()
    qtbot.addWidget(bars)
    bars.resize(120, 20)
    bars.set_qualities(("good", "mains", "flat"), ("C3", "C4", "Cz"))
    assert "C4" in bars.tip()
    assert "Cz" in bars.tip()
    assert "1 good" in bars.accessibleDescription()
    bars.set_qualities(())
    assert not bars.grab().isNull()


def test_the_scalp_finds_the_electrode_under_the_mouse(qtbot: QtBot) -> None:
    """The nearest, within reach; outside there is none."""
    from bci_app.widgets.scalp import ScalpView

    scalp = ScalpView()
    qtbot.addWidget(scalp)
    scalp.resize(300, 300)
    scalp.show()
    scalp.set_placement(Placement(("C3", "C4"), ((-0.5, 0.0), (0.5, 0.0)), "stream"))
    clicked: list[str] = []
    scalp.electrode_clicked.connect(clicked.append)
    near = (scalp.place_of("C3") + QPointF(4, 3)).toPoint()
    qtbot.mouseClick(scalp, Qt.MouseButton.LeftButton, pos=near)
    qtbot.mouseClick(scalp, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert clicked == ["C3"]


def test_markers_without_traces_wait(qtbot: QtBot) -> None:
    """A marker that comes before there is anything to show does no harm."""
    from bci_app.widgets.marker_lane import MarkerLane
    from bci_app.widgets.traces import TracesView

    traces = TracesView()
    qtbot.addWidget(traces)
    lane = MarkerLane(traces, traces)
    lane.add(Marker(1.0, "left_hand"))
    traces.advanced.emit()
    assert lane.placed == ()
