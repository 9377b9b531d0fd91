"""The pictures and words of quality."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from bci.report.quality import draw_scalp, quality_figure, quality_html, scalp_places
from bci.signal.epochs import LeftOut
from bci.signal.recorded_quality import recorded_quality
from bci.sources.base import Channel
from bci.sources.reading import open_recording


def test_electrodes_lie_where_they_sit() -> None:
    """The vertex in the middle, left on the left, the nose above; a place of its own counts."""
    places = scalp_places(
        [Channel(name) for name in ("Cz", "C3", "C4", "Fpz", "Oz", "ch7")]
        + [Channel("x", position_m=(0.0, 0.096, 0.044))]
    )
    assert np.hypot(*places["Cz"]) < 0.15
    assert places["C3"][0] < -0.3 < 0.3 < places["C4"][0]
    assert abs(places["C3"][0] + places["C4"][0]) < 0.03
    assert places["Oz"][1] < -0.7 < 0.7 < places["Fpz"][1] < 1.05
    assert "ch7" not in places
    np.testing.assert_allclose(places["x"], (0.0, 1 / 1.1), atol=1e-9)


@pytest.mark.parametrize("labels", [("C3", "Cz", "C4"), ("ch1", "ch2"), ("C3", "ch2")])
def test_every_electrode_is_drawn(labels: tuple[str, ...]) -> None:
    """With a place or without one, each has its label, and the legend counts the levels."""
    ax = Figure().subplots()
    words = dict(zip(labels, ("flat", "good", "muscle"), strict=False))
    draw_scalp(ax, words, scalp_places([Channel(name) for name in labels]))
    assert {text.get_text() for text in ax.texts} == set(labels)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["good (1)", f"care ({len(labels) - 2})", "bad (1)"]


def test_a_recording_is_drawn_with_its_course(shared_data) -> None:
    """P1's flat inputs come first, all the time; windows that hold a gap stay white."""
    recording = open_recording(shared_data / "days_xdf" / "P1_002.xdf", unit="uV")
    run = recorded_quality(recording)
    figure = quality_figure(run, scalp_places(recording.info.channels))
    course = figure.axes[1]
    names = [text.get_text() for text in course.get_yticklabels()]
    assert set(names[:5]) == {f"ch{k}  flat" for k in range(12, 17)}
    image = course.images[0].get_array()
    assert np.ma.getmaskarray(image).all(axis=0).sum() >= 20
    assert (np.ma.compressed(image[:5]) == 2).all()
    picture = io.BytesIO()
    figure.savefig(picture)
    assert picture.tell() > 10_000


def test_words_count_what_was_left_out(shared_data) -> None:
    """By class and reason, with the switch's state; text of files is no markup."""
    run = recorded_quality(open_recording(shared_data / "eegmmidb" / "S001R04.edf"))
    left_out = [
        LeftOut("a.edf", 1.0, "crosses a gap", "left_hand"),
        LeftOut("a.edf", 9.0, "muscle: 30 <b>", "left_hand"),
        LeftOut("a.edf", 19.0, "muscle: 40 µV", "left_hand"),
    ]
    page = quality_html([run], {"left_hand": 5, "right_hand": 8}, left_out, reject=True)
    assert "<td>left hand</td><td>5</td><td>3</td><td>muscle (2), crosses a gap (1)</td>" in page
    assert "<td>right hand</td><td>8</td><td>0</td><td></td>" in page
    assert "were not learned from" in page
    assert "no --reject" in quality_html([run], {}, [], reject=False)
    assert "<td>T8</td><td>muscle</td>" in page
