"""The Online step, by its effect: real LSL, a simulated person, a decoder trained on her."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QWidget
from pytestqt.qtbot import QtBot

from bci.decoders import load_model, platform_card
from bci.decoders.adapt import ARMS
from bci.experiment.feedback import Feedback
from bci.experiment.session import Session
from bci.experiment.worker import TaskState
from bci.online import TrialOutcome, verify
from bci.online.decision import NO_SIGNAL, STALE
from bci.online.verification import Verification
from bci.paradigm import GrazSettings
from bci.sources.files import recording_hash
from bci.sources.reading import open_recording
from bci.workspace import SessionSetup, Workspace
from bci_app.patient.scenes import registry
from bci_app.steps.online import OnlineStep
from bci_app.widgets.adaptation_choice import effect_text

PROTOCOL = GrazSettings(
    trials_per_class=9, fixation_s=1.0, imagery_s=3.5, pause_s=(1.0, 1.5), lead_s=3.0
)
FEEDBACK = GrazSettings(
    trials_per_class=2, fixation_s=0.5, cue_s=0.8, imagery_s=3.0, pause_s=(0.3, 0.5), lead_s=0.5
)
TIMEOUT_MS = 40_000


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a session whose simulated person was calibrated, with a decoder that can adapt."""
    setup = SessionSetup.make(
        subject="sim01",
        session="01",
        protocol=PROTOCOL,
        feedback=FEEDBACK,
        decoder="ts-lr",
        epochs={"window_s": (0.5, 3.0)},
        adapt="recenter",
    )
    session = Session(Workspace(tmp_path_factory.mktemp("study")), setup)
    try:
        session.signals.start_simulator({"ability": 1.0, "seed": 1}, history_s=200.0, speed=20.0)
        session.signals.wait(60.0)
        session.calibration.start()
        assert session.wait_run(60.0)
        task = session.training.train("ts-lr")
        assert task.wait(120.0)
        assert task.state is TaskState.DONE, task.error
        session.training.use(sorted(session.folder.glob("attempt-*.bci"))[0].name)
        yield session
    finally:
        session.close()


@pytest.fixture
def step(trained: Session, qtbot: QtBot) -> Iterator[OnlineStep]:
    """Return the step, shown and bound; a run that a test left is ended."""
    widget = OnlineStep()
    qtbot.addWidget(widget)
    widget.resize(1120, 680)
    widget.show()
    widget.bind(trained)
    qtbot.waitUntil(widget.start_button.isEnabled, timeout=5000)
    yield widget
    trained.stop()
    qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    widget.unbind()


def _click(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def _choose(box: QComboBox, data: str) -> None:
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())


def _said(label: QLabel) -> str:
    return label.accessibleDescription()


def _replayed(session: Session) -> Verification:
    """Replay the last run by the model in use."""
    recording = open_recording(session.folder / session.record.runs[-1].file)
    path, log = session.experiment.model_path, session.experiment.log.path
    model = load_model(path)
    return verify(recording, model, recording_hash(path), log, platform_card())[1]


def _events(session: Session, name: str) -> list[dict[str, Any]]:
    lines = session.experiment.log.path.read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


class _Broken:
    """Fails when it paints."""

    name = "broken"

    def paint(self, *what: object) -> None:
        """Fail."""
        raise RuntimeError("no brush")


def test_classes_that_the_decoder_does_not_know_are_said_and_mended(
    step: OnlineStep, trained: Session, qtbot: QtBot
) -> None:
    """A run that cues feet cannot start with a decoder of hands; one click takes its classes."""
    feet = FEEDBACK.model_copy(update={"classes": ("left_hand", "feet")})
    trained.change(feedback=feet)
    qtbot.waitUntil(lambda: not step.start_button.isEnabled(), timeout=2000)
    assert "feet" in step.message.text()
    assert "left hand, right hand" in step.message.text()
    _click(qtbot, step.fix)
    assert trained.setup.feedback.classes == ("left_hand", "right_hand")
    qtbot.waitUntil(step.start_button.isEnabled, timeout=2000)
    assert not step.fix.isVisible()


def test_settings_are_those_of_the_session(step: OnlineStep, trained: Session) -> None:
    """What is set in the step is kept in the session, and decides the next run."""
    step.rule_panel.threshold.setValue(70)
    step.rule_panel.dwell.setValue(0.3)
    step.rule_panel.refractory.setValue(0.5)
    step.run_panel.trials.setValue(5)
    online = trained.setup.online
    assert (online.threshold, online.dwell_s, online.refractory_s) == (0.7, 0.3, 0.5)
    assert trained.setup.feedback.trials_per_class == 5
    step.rule_panel.threshold.setValue(60)
    step.rule_panel.dwell.setValue(0.0)
    step.rule_panel.refractory.setValue(0.0)
    step.run_panel.trials.setValue(2)


def test_stop_counts_before_the_run_has_begun(
    step: OnlineStep, trained: Session, qtbot: QtBot
) -> None:
    """Esc twice, right after Start, ends the run that is being prepared."""
    n_runs = len(trained.record.runs)
    _click(qtbot, step.start_button)
    assert trained.feedback.running
    qtbot.keyClick(step, Qt.Key.Key_Escape)
    assert trained.feedback.running
    assert "Once more" in step.message.text()
    qtbot.keyClick(step, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    assert not trained.record.runs[n_runs].completed
    assert trained.record.runs[n_runs].outcome["trials"] == []


def test_cued_run_scores_trials_and_shows_them(
    step: OnlineStep, trained: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials are marked, the patient sees feedback though the scene fails, a note is kept.

    Without adaptation, and a replay decides to the last bit as live.
    """
    scenes = dict(registry.available_scenes())
    scenes["broken"] = registry.SceneEntry("broken", _Broken)
    monkeypatch.setattr(registry, "available_scenes", lambda: scenes)
    trained.change(scene="broken", adapt="frozen")
    _click(qtbot, step.window_button)
    with qtbot.waitSignal(step._feedback.said, timeout=TIMEOUT_MS) as said:  # noqa: SLF001
        _click(qtbot, step.start_button)
    assert "broken" in said.args[0]
    assert "plain bar" in said.args[0]
    assert trained.feedback.running

    def shows_feedback() -> bool:
        image = step.canvas.grab().toImage()
        middle = image.pixelColor(image.width() // 2, image.height() // 2)
        return step.canvas.view.phase == "imagery" and middle.lightness() > 40

    qtbot.waitUntil(shows_feedback, timeout=TIMEOUT_MS)
    qtbot.keyClicks(step.notes.line, "looks tired")
    qtbot.keyClick(step.notes.line, Qt.Key.Key_Return)
    note = trained.record.notes[-1]
    assert note["text"] == "looks tired"
    assert note["run"].startswith("online-")
    assert _events(trained, "note")[-1]["text"] == "looks tired"
    qtbot.waitUntil(lambda: step.notes.listing.count() == 1, timeout=2000)
    assert "looks tired" in step.notes.listing.item(0).text()
    qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    run = trained.record.runs[-1]
    assert run.completed, run.note
    outcome = run.outcome
    assert len(outcome["trials"]) == 4
    assert sum(trial["correct"] for trial in outcome["trials"]) >= 3
    assert outcome["accuracy"]["low"] < outcome["accuracy"]["mean"] <= 1
    assert outcome["latency"]["system"]["n"] > 20
    assert outcome["latency"]["presentation"]["median"] > 0
    # Without adaptation: the reference stays, though the decoder was trained to move it.
    assert (outcome["adapt"], outcome["adaptation"], outcome["moved_db"]) == ("frozen", None, None)
    assert _events(trained, "online_started")[-1]["adaptation"]["settings"]["arm"] == "frozen"
    assert outcome["model"] == trained.record.model
    verification = _replayed(trained)
    assert verification.n_identical == verification.n_logged > 20
    assert verification.reproduced, verification
    assert "off" in step.figures.adaptation.text()
    qtbot.waitUntil(lambda: len(step.marks.text()) == 4, timeout=3000)
    assert step.marks.text().count("✓") == sum(t["correct"] for t in outcome["trials"])
    # One that was late on a busy machine could not be decoded, and is not scored.
    n_scored = sum(trial["decoded"] is not None for trial in outcome["trials"])
    assert f"of {n_scored} trials right" in step.accuracy.text()
    trained.change(scene="bar", adapt="recenter")
    _click(qtbot, step.window_button)


def test_feedback_is_withheld_while_the_amplifier_is_away(
    step: OnlineStep, trained: Session, qtbot: QtBot
) -> None:
    """In a free run nothing is shown from old samples; when they return, feedback does."""
    step.run_panel.set_cued(False)
    step.run_panel.minutes.setValue(0.0)
    qtbot.waitUntil(step.start_button.isEnabled, timeout=2000)
    shown: list[Feedback] = []
    _click(qtbot, step.start_button)
    qtbot.waitUntil(lambda: trained.feedback.now().evidence is not None, timeout=TIMEOUT_MS)
    qtbot.waitUntil(lambda: step.canvas.view.phase == "imagery", timeout=2000)
    _click(qtbot, step.rest_button)
    assert trained.feedback.ledger is not None
    assert trained.feedback.ledger.resting
    amplifier = trained.signals.simulator.amplifier
    away = threading.Thread(target=amplifier.drop, args=(1.0,))
    away.start()
    try:
        qtbot.waitUntil(lambda: step.canvas.view.evidence is None, timeout=4000)
        feedback = trained.feedback.now()
        assert feedback.withheld in (STALE, NO_SIGNAL)
        assert feedback.evidence is None
        assert step.canvas.view.withheld
        assert step.bars.text.startswith("withheld")

        def returned() -> bool:
            shown.append(trained.feedback.now())
            return shown[-1].evidence is not None

        qtbot.waitUntil(returned, timeout=TIMEOUT_MS)
    finally:
        away.join()
    assert all(f.age_s < 0.3 for f in shown if f.evidence is not None)
    assert trained.feedback.running
    _click(qtbot, step.rest_button)
    qtbot.waitUntil(lambda: trained.feedback.account().alarms.rest_s > 0, timeout=3000)
    _click(qtbot, step.stop_button)
    qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    outcome = trained.record.runs[-1].outcome
    assert trained.record.runs[-1].completed
    assert not outcome["cued"]
    assert outcome["trials"] == []
    assert outcome["false_alarms"]["rest_s"] > 0
    assert outcome["adapt"] == "recenter"
    assert outcome["moved_db"] > 0
    labels = [event["label"] for event in _events(trained, "marker")]
    assert labels[-4:] == ["run_start", "rest_began", "rest_ended", "run_end"]
    step.run_panel.set_cued(True)


def test_adaptation_is_chosen_between_runs_and_told_by_key(
    step: OnlineStep, trained: Session, qtbot: QtBot
) -> None:
    """Right and wrong by two keys: learned from, shown against the trained decoder, replayed."""
    choice = step.rule_panel.adaptation
    names = [choice.arm.itemData(k) for k in range(choice.arm.count())]
    assert names == ["frozen", *(arm for arm in ARMS if arm != "frozen")]
    assert choice.arm.currentData() == "recenter"
    assert choice.rewards.isHidden()
    _choose(choice.arm, "reward+recenter")
    assert trained.setup.adapt == "reward+recenter"
    qtbot.waitUntil(lambda: not choice.rewards.isHidden(), timeout=2000)
    _choose(choice.rewards, "key")
    assert trained.setup.rewards == "key"
    assert not step.buttons.right.isVisible()
    over: list[TrialOutcome] = []
    trained.experiment.events.trial_finished.connect(over.append)
    try:
        _click(qtbot, step.start_button)
        qtbot.waitUntil(step.buttons.right.isVisible, timeout=TIMEOUT_MS)
        assert not choice.arm.isEnabled()
        for n in range(1, 5):
            qtbot.waitUntil(lambda n=n: len(over) == n, timeout=TIMEOUT_MS)
            if n == 2:
                _click(qtbot, step.buttons.right if over[-1].correct else step.buttons.wrong)
            else:
                step.reward(over[-1].correct)
            if n == 3:
                qtbot.waitUntil(lambda: "n = " in _said(step.figures.adaptation), timeout=5000)
        qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    finally:
        trained.experiment.events.trial_finished.disconnect(over.append)
    run = trained.record.runs[-1]
    assert run.completed, run.note
    effect = run.outcome["adaptation"]
    assert run.outcome["adapt"] == effect["arm"] == "reward+recenter"
    # The last reward may come when the run has ended.
    assert effect["rewards"]["used"] >= 3
    assert effect["n"] >= 2
    assert effect["adapted"] is not None
    qtbot.waitUntil(step.buttons.right.isHidden, timeout=5000)
    recording = open_recording(trained.folder / run.file)
    path = trained.experiment.model_path
    log = trained.experiment.log.path
    _, verification = verify(
        recording, load_model(path), recording_hash(path), log, platform_card()
    )
    assert verification.reproduced, verification
    trained.change(adapt="recenter", rewards="")


def test_what_an_arm_decided_is_replayed_by_the_one_model(
    trained: Session, step: OnlineStep, qtbot: QtBot
) -> None:
    """The file that was trained serves every arm, and a replay decides to the last bit as live.

    Of an arm that learns from cues here; of none and of one that learns from keys above.
    """
    trained.change(adapt="supervised")
    _click(qtbot, step.start_button)
    qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    run = trained.record.runs[-1]
    assert run.completed, run.note
    assert run.outcome["model"] == trained.record.model
    assert run.outcome["moved_db"] is not None
    verification = _replayed(trained)
    assert verification.n_identical == verification.n_logged > 20
    assert verification.reproduced, verification
    trained.change(adapt="recenter")


def test_arm_that_the_decoder_has_not_is_off_and_said(step: OnlineStep) -> None:
    """What was wished for stays wished for; the box says that this decoder cannot."""
    choice = step.rule_panel.adaptation
    choice.show_settings(("frozen",), "frozen", "", "supervised")
    assert choice.arm.currentData() == "frozen"
    assert "cannot" in choice.arm.currentText()
    assert "learn from the cues" in choice.arm.currentText()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"works": False}, "failed"),
        ({"ended": True}, "no more"),
        ({"n": 0}, "no trial to compare"),
        ({}, "75 % (as trained 50 %), lately +5, n = 8"),
        ({"reverted": 1}, "taken back 1×"),
    ],
)
def test_effect_of_adaptation_in_words(changed: dict[str, Any], said: str) -> None:
    """Shares on the same trials, the running difference, and what the guard has done."""
    effect = {"arm": "recenter", "works": True, "n": 8, "adapted": 0.75, "frozen": 0.5,
              "ahead": 0.05, "reverted": 0, "ended": False} | changed  # fmt: skip
    text, role = effect_text(effect)
    assert said in text
    assert bool(role) == bool(set(changed) & {"works", "ended", "reverted"})


def test_run_that_fails_keeps_what_was_decided(
    step: OnlineStep, trained: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An amplifier that does not return ends the run; decisions so far are on the record."""
    monkeypatch.setattr(trained.experiment, "give_up_s", 1.0)
    step.run_panel.set_cued(False)
    qtbot.waitUntil(step.start_button.isEnabled, timeout=2000)
    _click(qtbot, step.start_button)
    qtbot.waitUntil(lambda: trained.feedback.now().evidence is not None, timeout=TIMEOUT_MS)
    amplifier = trained.signals.simulator.amplifier
    amplifier.hang()
    try:
        qtbot.waitUntil(lambda: trained.active is None, timeout=TIMEOUT_MS)
    finally:
        amplifier.restore()
    run = trained.record.runs[-1]
    assert "sent nothing" in run.note
    assert run.outcome["n_decisions"] > 0
    assert run.outcome["latency"]["command"]["n"] > 0
    qtbot.waitUntil(lambda: "sent nothing" in step.message.text(), timeout=2000)
    # What looked for the amplifier has found it.
    qtbot.waitUntil(lambda: "acquisition watch" not in _threads(), timeout=TIMEOUT_MS)
    step.run_panel.set_cued(True)


@pytest.mark.slow
def test_person_of_ability_one_reaches_nine_in_ten(
    step: OnlineStep, trained: Session, qtbot: QtBot, soak: bool
) -> None:
    """Of twenty trials online at least eighteen are right (with --soak; shorter runs: above)."""
    if not soak:
        pytest.skip("twenty trials take a minute and a half: --soak")
    trained.change(feedback=FEEDBACK.model_copy(update={"trials_per_class": 10}))
    qtbot.waitUntil(step.start_button.isEnabled, timeout=5000)
    _click(qtbot, step.start_button)
    qtbot.waitUntil(lambda: trained.active is None, timeout=180_000)
    trials = trained.record.runs[-1].outcome["trials"]
    assert len(trials) == 20
    assert sum(trial["correct"] for trial in trials) >= 18


def test_step_returns_to_its_empty_state(qtbot: QtBot) -> None:
    """Without a session the step says what it is for, and offers nothing."""
    widget = OnlineStep()
    qtbot.addWidget(widget)
    assert "feedback in real time" in widget.message.text()
    assert not widget.start_button.isEnabled()
    assert not widget.stop_button.isEnabled()
    widget.start()
    widget.stop()
