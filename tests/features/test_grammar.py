"""Features as clinicians type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import SettingsError
from bci.features.grammar import Feature, parse_features

LABELS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.'", min_size=1)
HERTZ = st.integers(0, 4000).map(lambda quarters: quarters / 4)
FEATURES = st.builds(
    lambda kind, channel, ends: Feature(kind, channel, *sorted(ends)),
    st.sampled_from(["psd", "fc"]),
    LABELS,
    st.tuples(HERTZ, HERTZ),
)


@given(
    features=st.lists(FEATURES, min_size=1, max_size=6), joint=st.sampled_from([", ", "+", "\n"])
)
def test_what_is_written_is_read_again(features, joint):
    """Any channels, bands and separators: text and back gives the same features."""
    text = joint.join(str(feature) for feature in features)
    assert list(parse_features(text)) == features


@given(feature=FEATURES, blanks=st.lists(st.sampled_from(["", " ", "  "]), min_size=4, max_size=4))
def test_blanks_do_not_matter(feature, blanks):
    """Around the channel, the semicolon and the colon."""
    a, b, c, d = blanks
    text = f"{a}{feature.kind} {feature.channel}{b};{c}{feature.low_hz:g}{d}:{feature.high_hz:g}{a}"
    assert parse_features(text) == (feature,)


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    """Never another error than a SettingsError of one line."""
    try:
        features = parse_features(text)
    except SettingsError as error:
        problem = str(error)
        features = ()
    else:
        problem = ""
    assert "\n" not in problem
    assert bool(features) != bool(problem)
    assert all(feature.low_hz <= feature.high_hz for feature in features)


def test_the_kind_may_be_given_once_for_all():
    """Without a kind of its own a feature is of the kind that was asked for."""
    assert parse_features("C4;13:16, psd Cz;10", "fc") == (
        Feature("fc", "C4", 13.0, 16.0),
        Feature("psd", "Cz", 10.0, 10.0),
    )


def test_happyfeats_own_spelling_is_read():
    """``C4;13:16`` and ``C4;13``, and an EDF's channel with dots."""
    assert parse_features("C4;13:16") == (Feature("psd", "C4", 13.0, 16.0),)
    assert parse_features("Fc5.;13") == (Feature("psd", "Fc5.", 13.0, 13.0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C4", "write a channel, a semicolon and a band"),
        ("C4;", "write a channel, a semicolon and a band"),
        ("C4;a:b", "write a channel, a semicolon and a band"),
        ("C4;16:13", "the band ends before it begins"),
        ("erd C4;8:12", "kind 'erd' is none of psd, fc"),
        ("", "name at least one"),
        (" , ", "name at least one"),
    ],
)
def test_what_is_no_feature_is_refused(text, message):
    """It is named, and what to write instead."""
    with pytest.raises(SettingsError, match=message):
        parse_features(text)
