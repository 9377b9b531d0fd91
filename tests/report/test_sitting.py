"""The report of a session of several runs: one page, then details; as HTML and as PDF."""

import re
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bci.errors import InputError, RolandicError
from bci.evaluation.training import train_model
from bci.online import TrialOutcome
from bci.report.contents import session_document
from bci.report.document import FOOTER, Paragraph, Picture, Table
from bci.report.making import make_report, make_trend
from bci.report.paper import front_png, write_pdf
from bci.report.sitting import accuracy_of, online_accuracies, read_sitting
from bci.report.tables import adaptation_line
from bci.report.trend import subject_trend
from bci.sources.reading import open_recording
from bci.workspace import RunRecord, SessionRecord, SessionSetup, Workspace

CLASSES = ("left_hand", "right_hand")
SPREAD = {"median": 7.1, "p99": 14.2, "worst": 22.0, "mean": 8.0, "sd": 2.0, "n": 900}


def outcome(n: int, n_right: int) -> dict[str, Any]:
    """Return what an online run's record keeps, `n_right` of `n` trials decoded right."""
    trials = []
    for number in range(n):
        cue = CLASSES[number % 2]
        said = cue if number < n_right else CLASSES[1 - number % 2]
        trials.append(TrialOutcome(cue, 5.0 * number, 0, said, (0.7, 0.3), 20, 1, ("gap",)))
    return {
        "model": "attempt-01_csp-lda.bci",
        "trials": [trial.as_dict() for trial in trials],
        "latency": {"command": SPREAD, "system": SPREAD | {"median": 23.4}, "n_decisions": 900,
                    "n_late": 3, "n_overran": 1},
        "n_decisions": 900,
        "adaptation": {"arm": "recenter", "n_updates": n, "works": True},
    }  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Workspace:
    """Make a workspace with two sessions of S001, with real runs and a trained decoder."""
    workspace = Workspace(tmp_path_factory.mktemp("reported") / "study")
    place = workspace.root / "sub-S001" / "ses-00" / "eeg"
    place.mkdir(parents=True)
    for run in ("04", "08"):
        content = (shared_data / "eegmmidb" / f"S001R{run}.edf").read_bytes()
        (place / f"sub-S001_ses-00_task-imagery_run-{run}_eeg.edf").write_bytes(content)
    recordings = workspace.recordings("S001")
    for number, used in enumerate((recordings[:1], recordings), start=1):
        folder = workspace.folder("S001", f"{number:02d}")
        folder.mkdir(parents=True)
        setup = SessionSetup.make(
            subject="S001",
            session=f"{number:02d}",
            operator="<AB>",
            epochs={"event_map": {"T1": "left_hand", "T2": "right_hand"}},
        )
        record = SessionRecord(folder, setup)
        day = datetime(2026, 3, 4, 10).astimezone() + timedelta(days=7 * number)
        record.runs = [RunRecord(r.file, "calibration", began=day.isoformat()) for r in used]
        model = train_model([open_recording(r.path) for r in used], setup.epochs, "csp-lda")
        model.save(folder / "attempt-01_csp-lda.bci")
        record.attempts = [
            {"file": "attempt-01_csp-lda.bci", "decoder": "csp-lda", "cv": model.card["cv"],
             "params": {}, "recordings": [r.path.name for r in used]}
        ]  # fmt: skip
        record.model = "attempt-01_csp-lda.bci"
        record.runs += [
            RunRecord("online-01.xdf", "online", began=day.isoformat(), outcome=outcome(20, 19)),
            RunRecord("online-02.xdf", "online", completed=False, outcome=outcome(20, 9),
                      began=day.isoformat(), note="stopped"),
        ]  # fmt: skip
        record.notes = [{"at": day.isoformat(), "run": "online-02.xdf", "text": "patient coughs"}]
        record.save()
    return workspace


def said(blocks: Any) -> str:
    """Return all words of blocks."""
    texts: list[str] = []
    for block in blocks:
        match block:
            case Paragraph(text, _):
                texts.append(text)
            case Table(rows, head, title):
                texts += [title, *head, *(cell for row in rows for cell in row)]
            case Picture(_, title, caption):
                texts += [title, caption]
    return "\n".join(texts)


@pytest.mark.filterwarnings("default")
def test_front_page_says_what_a_clinician_wants(study: Workspace) -> None:
    """One page: accuracy with interval and chance, quality, latency to the screen, notes."""
    sitting = read_sitting(study.folder("S001", "02"))
    assert sitting.problems == []
    document = session_document(sitting)
    front = said(document.front.blocks)
    assert document.front.blocks[0].text.startswith("Online, 70 % of 40 trials")
    assert "95 % interval" in front
    assert "chance" in front
    assert "to the screen: median 23.4 ms" in front
    assert "4 of 900 too late, and withheld" in front
    assert "Signal quality" in front
    assert "patient coughs" in front
    for block in (b for s in (document.front, *document.sections) for b in s.blocks):
        if isinstance(block, Picture):
            assert block.caption
    titles = [section.title for section in document.sections]
    assert titles == [
        "What was done", "Signal quality", "Accuracy", "Maps", "Trials online", "Latency",
        "Parameters and versions",
    ]  # fmt: skip
    details = {section.title: said(section.blocks) for section in document.sections}
    assert "ended early; stopped" in details["What was done"]
    assert "Adaptation: recenter, learned from 20 trials." in details["Trials online"]
    assert "reference as recorded" in details["Maps"]
    assert "ERD" in details["Maps"]
    assert "scikit-learn" in details["Parameters and versions"]
    assert "SHA-256" in details["Parameters and versions"]
    assert [a.name for a in online_accuracies(sitting)] == ["online 1", "online 2", "all online"]


@pytest.mark.filterwarnings("default")
def test_report_is_html_and_pdf(study: Workspace) -> None:
    """Both are there, private, with the footer; the first page is a picture; progress ends."""
    folder = study.folder("S001", "02")
    steps: list[tuple[int, int]] = []
    written = make_report(folder, progress=lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    page = written.html.read_text(encoding="utf-8")
    assert FOOTER.split(";")[0] in page
    assert "&lt;AB&gt;" in page
    assert "<AB>" not in page
    assert written.front.startswith(b"\x89PNG")
    pdf = written.pdf.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) >= 4
    for path in (written.html, written.pdf):
        assert path.stat().st_mode & 0o077 == 0
    assert not list(folder.glob(".report*"))


def test_pdf_begins_a_page_where_one_is_full(tmp_path: Path) -> None:
    """A table longer than a page goes on with its head; nothing runs into the foot."""
    from bci.report.document import Document, Section
    from bci.report.paper import _FOOT, _HEIGHT, _pages

    rows = [(str(n), "word " * (n % 30), "x" * 200) for n in range(70)]
    document = Document(
        "A title", "and more", Section("", [Paragraph("One page.")]),
        [Section("Rows", [Table(rows, ("n", "words", "cut"))])],
    )  # fmt: skip
    pages = _pages(document)
    assert len(pages) > 3
    for page in pages:
        lowest = min(text.get_position()[1] for text in page.figure.texts)
        assert lowest * _HEIGHT > _FOOT - 3
        assert max(text.get_position()[1] for text in page.figure.texts) < 1
    for page in pages[2:]:
        assert "words" in [text.get_text() for text in page.figure.texts]
    write_pdf(tmp_path / "a.pdf", document)
    assert b"%%EOF" in (tmp_path / "a.pdf").read_bytes()
    assert zlib.crc32(front_png(document)) != 0


@pytest.mark.filterwarnings("default")
def test_session_without_a_decoder_has_a_report(study: Workspace) -> None:
    """What is missing, or cannot be read, is said, and the rest is there."""
    folder = study.folder("S001", "09")
    folder.mkdir(parents=True)
    record = SessionRecord(folder, SessionSetup.make(subject="S001", session="09"))
    record.runs = [RunRecord("calibration-01.xdf", "calibration")]
    record.save()
    written = make_report(folder, progress=lambda done, total: None)
    assert "calibration-01.xdf" in written.problems[0]
    assert "no decoder trained yet" in written.html.read_text(encoding="utf-8")
    with pytest.raises(RolandicError, match="no session"):
        make_report(study.root, progress=lambda done, total: None)


@pytest.mark.filterwarnings("default")
def test_trend_has_each_session_in_order(study: Workspace) -> None:
    """Accuracy with interval and chance, and ERD with its interval, session after session."""
    points = [p for p in subject_trend(study.root, "S001") if p.session in ("01", "02")]
    assert [point.session for point in points] == ["01", "02"]
    for point in points:
        assert point.online is not None
        assert point.calibration is not None
        assert point.online.n == 40
        assert point.online.low < point.online.mean < point.online.high
        for name in CLASSES:
            change = point.erd[name]
            assert change.low <= change.mean <= change.high
            assert change.mean < 0  # S001's mu rhythm yields
    assert points[1].erd["left_hand"].n > points[0].erd["left_hand"].n
    drawn = make_trend(study.root, "S001", progress=lambda done, total: None)
    assert drawn.picture.startswith(b"\x89PNG")
    with pytest.raises(InputError, match="sub-S77"):
        subject_trend(study.root, "S77")


def test_accuracy_without_decoded_trials_is_none() -> None:
    """Trials of which no window could be decoded make no accuracy."""
    trial = TrialOutcome("left_hand", 0.0, 0, None, None, 0, 4, ("gap",))
    assert accuracy_of("x", [trial]) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "recenter, learned from 20 trials; right 80 % of 20, the decoder as it was trained"),
        ({"reverted": 2}, "taken back 2×"),
        ({"works": False}, "the trained decoder went on"),
    ],
)
def test_what_adaptation_came_to_is_one_line(changed: dict[str, Any], said: str) -> None:
    """The arm, both accuracies on the same trials, and what the guard did."""
    effect = {"arm": "recenter", "n_updates": 20, "n": 20, "adapted": 0.8, "frozen": 0.7,
              "reverted": 0, "works": True}  # fmt: skip
    assert said in adaptation_line(effect | changed)
