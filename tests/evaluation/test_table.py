"""One table for all of it, in three forms."""

import csv
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bci.config import EpochSettings, OnlineSettings
from bci.evaluation import (
    EvaluationTable,
    Protocol,
    PseudoOnlineTask,
    Result,
    evaluate,
    evaluate_pseudo_online,
)
from bci.evaluation.people import mean_over_people
from bci.signal.epochs import Epochs
from bci.sources.recording import Recording


@pytest.fixture(scope="module")
def results(
    make_epochs: Callable[..., Epochs], make_run: Callable[..., Recording]
) -> list[tuple[str, Any]]:
    """Return two decoders by two protocols and pseudo-online."""
    epochs = make_epochs(40, effect=0.3)
    task = PseudoOnlineTask.of(
        [make_run(f"run{k}.xdf", seed=k, effect=2.0) for k in range(2)],
        EpochSettings.make(band_hz=(8.0, 30.0), window_s=(0.5, 3.5), length_s=1.5, step_s=0.5),
        online=OnlineSettings.make(hop_s=0.25, threshold=0.0),
    )
    found: list[tuple[str, Any]] = []
    for name in ("mdm", "csp-lda"):
        found += [
            ("<P1>", evaluate(epochs, name)),
            ("<P1>", evaluate(epochs, name, None, Protocol(name="leave-one-run-out"))),
            ("<P1>", evaluate_pseudo_online(task, name)),
        ]
    return found


class Cells(HTMLParser):
    """Collects the text of the cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row or a cell."""
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th")
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        self.inside = False

    def handle_data(self, data: str) -> None:
        """Take a cell's text."""
        if self.inside:
            self.rows[-1][-1] += data


def test_csv_holds_every_number_unrounded(results: list[tuple[str, Any]]) -> None:
    """Each score with its bounds under its name; what does not apply is empty."""
    rows = list(csv.DictReader(io.StringIO(EvaluationTable.of(results).csv())))
    assert len(rows) == 6
    for row, (_, result) in zip(rows, results, strict=True):
        assert (row["subject"], row["decoder"]) == ("<P1>", result.decoder)
        assert float(row["nmcc"]) == result.nmcc.mean
        assert float(row["nmcc_low"]) == result.nmcc.low
        if isinstance(result, Result):
            assert float(row["roc_auc_high"]) == result.roc_auc.high
            assert row["hits"] == ""
        else:
            assert float(row["false_alarms_per_min"]) == result.false_alarms_per_min.mean
            assert row["accuracy"] == row["roc_auc"] == ""


def test_the_page_is_whole_and_escapes_names(results: list[tuple[str, Any]]) -> None:
    """All rows and columns, the differences, the notes; no name becomes markup."""
    table = EvaluationTable.of(results)
    page = table.html("A & B")
    parsed = Cells()
    parsed.feed(page)
    head, rows = table.cells()
    _, differences = table.difference_cells()
    assert parsed.rows[: 1 + len(rows)] == [head, *rows]
    assert len(parsed.rows) == 2 + len(rows) + len(differences)
    assert len(differences) == 3
    assert "<h1>A &amp; B</h1>" in page
    assert "src=" not in page
    assert "3 comparisons" in page


def test_the_document_is_json_and_holds_the_differences(results: list[tuple[str, Any]]) -> None:
    """Pairs of one protocol, adjusted together."""
    document = json.loads(json.dumps(EvaluationTable.of(results).as_dict()))
    assert [d["metric"] for d in document["differences"]] == ["roc_auc", "roc_auc", "nmcc"]
    assert {d["n_comparisons"] for d in document["differences"]} == {3}
    assert document["rows"][0]["accuracy"]["low"] < document["rows"][0]["accuracy"]["mean"]


def test_repeats_are_one_row_that_is_no_narrower(make_epochs: Callable[..., Epochs]) -> None:
    """Scores and bounds of repeats are averaged; subjects and p-values that are none don't show."""
    epochs = make_epochs(40, effect=0.3)
    repeats = [evaluate(epochs, "mdm", None, Protocol(seed=seed)) for seed in range(3)]
    table = EvaluationTable.of([("", repeats)])
    (row,) = table.rows
    score = row.values["accuracy"]
    assert score.mean == pytest.approx(sum(r.accuracy.mean for r in repeats) / 3)
    assert score.high - score.low == pytest.approx(
        sum(r.accuracy.high - r.accuracy.low for r in repeats) / 3
    )
    head, _ = table.cells()
    assert "subject" not in head
    assert "p" not in head
    assert table.differences == {}
    assert table.differences_csv().strip() == ""


def test_several_people_have_rows_of_means_and_differences_over_them(
    make_epochs: Callable[..., Epochs],
) -> None:
    """A person counts once: the paired t-test of SciPy over people, Student's interval in 0..1."""
    found = []
    for person in range(4):
        epochs = make_epochs(40, effect=0.25, seed=person)
        found += [(f"P{person}", evaluate(epochs, name)) for name in ("mdm", "csp-lda")]
    table = EvaluationTable.of(found)
    together = [row for row in table.rows if row.subject == "all people"]
    assert [row.decoder for row in together] == ["mdm", "csp-lda"]
    by_name = {
        name: [r.roc_auc.mean for _, r in found if r.decoder == name] for name in ("mdm", "csp-lda")
    }
    score = together[0].values["roc_auc"]
    expected = stats.t.interval(0.95, 3, np.mean(by_name["mdm"]), stats.sem(by_name["mdm"]))
    assert expected[1] > 1
    assert (score.low, score.high) == pytest.approx((expected[0], 1.0))
    assert together[0].n_trials == 160
    (difference,) = table.differences["all people"]
    reference = stats.ttest_rel(by_name["mdm"], by_name["csp-lda"])
    assert difference.p_resampled_t == pytest.approx(reference.pvalue)
    assert difference.n_trials == 4
    # Of four people no exchange makes a p-value below 2 / 16.
    assert difference.p_permutation >= 0.11
    assert any("all people" in note for note in table.notes)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=12),
    st.lists(st.floats(-1, 1), min_size=2, max_size=12),
)
def test_no_interval_over_people_leaves_the_range_of_its_score(
    shares: list[float], kappas: list[float]
) -> None:
    """Whatever people reach, the bounds enclose the mean and are scores that can be had."""
    for values, least in ((shares, 0.0), (kappas, -1.0)):
        score = mean_over_people(values, least, 1.0)
        assert score is not None
        assert least <= score.low <= score.mean + 1e-12
        assert score.mean - 1e-12 <= score.high <= 1.0


def test_what_is_over_the_table_and_below_it_is_on_the_page(
    results: list[tuple[str, Any]],
) -> None:
    """HTML above and below as it is, notes as text."""
    page = EvaluationTable.of(results).html(
        before=["<i>up</i>"], after=["<b>down</b>"], notes=["<"]
    )
    assert page.index("<i>up</i>") < page.index("<table>") < page.index("<b>down</b>")
    assert "<p>&lt;</p>" in page
