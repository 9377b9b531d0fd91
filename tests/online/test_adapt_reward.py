"""Rewards from outside: each goes to its trial, once; a sender that misbehaves changes nothing."""

import threading

import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import StreamError
from bci.online.reward import RewardDesk, RewardListener, reward_of
from bci.sources.discovery import StreamQuery
from bci.sources.markers import MarkerOutlet


class Told:
    """Remembers what each trial was told."""

    def __init__(self):
        self.rewards, self.notices = {}, []
        self.desk = RewardDesk(9.0, self.notices.append)

    def over(self, cue_s):
        """Say that a trial is over."""
        self.desk.trial_over(cue_s, lambda value: self.rewards.setdefault(cue_s, []).append(value))

    def trial(self, cue_s, *said):
        """Give a trial, and what a sender says in it, each with its time."""
        self.desk.trial_began(cue_s)
        for label, time_s in said:
            self.desk.take(label, time_s)
        self.over(cue_s)


@pytest.fixture
def told():
    """Return a desk that tells it."""
    return Told()


def test_a_reward_reaches_its_trial_before_or_after_that_is_over(told):
    """Said during the trial, behind it, or when the next has begun but stamped before its cue."""
    told.trial(10.0, ("1", 13.0))
    told.trial(20.0)
    told.desk.take("0", 25.0)
    told.trial(30.0)
    told.desk.trial_began(40.0)
    told.desk.take("wrong", 38.9)
    assert told.rewards == {10.0: [1.0], 20.0: [0.0], 30.0: [0.0]}
    assert told.notices == []


def test_only_the_first_of_a_trial_counts_and_contradictions_are_said_once(told):
    """Repeated: passed over. Right and wrong: the first stands."""
    told.trial(10.0, ("1", 12.0), ("1", 12.1), ("0", 12.2))
    told.trial(20.0, ("0", 22.0), ("1", 22.1))
    assert told.rewards == {10.0: [1.0], 20.0: [0.0]}
    assert told.desk.counts["contradicted"] == 2
    assert told.desk.counts["repeated"] == 1
    assert len(told.notices) == 1
    assert "contradicts itself" in told.notices[0]


def test_a_flood_is_dropped_and_said_once(told):
    """A thousand within a second: the first counts, twenty are looked at."""
    told.trial(10.0, *(("1" if k else "0", 12.0 + k / 2000) for k in range(1000)))
    assert told.rewards == {10.0: [0.0]}
    assert told.desk.counts["flood"] == 980
    assert sum("floods" in text for text in told.notices) == 1
    told.trial(20.0, ("1", 24.0))
    assert told.rewards[20.0] == [1.0]


def test_a_stream_that_stops_is_said_once_until_it_is_back(told):
    """After five trials without, and again after it had returned and stopped."""
    for k in range(9):
        told.trial(10.0 * k)
    assert sum("no reward has come for 5 trials" in text for text in told.notices) == 1
    told.trial(100.0, ("1", 103.0))
    for k in range(11, 18):
        told.trial(10.0 * k)
    assert sum("no reward has come for 5 trials" in text for text in told.notices) == 2
    assert told.rewards == {100.0: [1.0]}


def test_what_is_no_reward_or_comes_too_late_or_too_early_is_dropped(told):
    """Each is counted, and said once."""
    told.desk.take("1", 5.0)
    told.trial(10.0, ("seven", 12.0), ("7", 12.1))
    told.desk.take("1", 19.5)
    assert told.rewards == {}
    counts = told.desk.counts
    assert (counts["early"], counts["unknown"], counts["late"]) == (1, 2, 1)
    assert len(told.notices) == 3


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cue", "over", "take"]),
            st.sampled_from(["0", "1", "x"]),
            st.floats(0, 5),
        ),
        max_size=60,
    )
)
def test_no_order_of_events_rewards_a_trial_twice(events):
    """Whatever comes when: at most one reward a trial, and what is kept stays bounded."""
    told, now, cues = Told(), 0.0, []
    for kind, label, step in events:
        now += step + 0.001
        if kind == "cue":
            cues.append(now)
            told.desk.trial_began(now)
        elif kind == "over" and cues:
            told.over(cues.pop())
        elif kind == "take":
            told.desk.take(label, now)
    assert all(len(values) == 1 for values in told.rewards.values())
    assert sum(told.desk.counts.values()) <= len(events) * 2


def test_what_senders_write():
    """Numbers from 0 to 1 and the usual words; nothing else."""
    assert [reward_of(t) for t in ("1", "1.0", "0", "right", "Error", "0.25")] == [
        1,
        1,
        0,
        1,
        0,
        0.25,
    ]
    assert [reward_of(t) for t in ("", "nan", "-1", "2", "left_hand")] == [None] * 5


@pytest.mark.parametrize("numbers", [False, True])
def test_over_lsl_a_stream_of_words_or_numbers_is_heard(numbers):
    """An outlet of strings, or of numbers of no fixed rate, rewards the trial."""
    came = threading.Event()
    desk, rewards = RewardDesk(1e9, lambda text: None), []
    desk.trial_began(0.0)

    def told(value):
        rewards.append(value)
        came.set()

    desk.trial_over(0.0, told)
    name = f"rewards-{numbers}"
    if numbers:
        info = pylsl.StreamInfo(name, "Reward", 1, 0.0, "float32", name)
        outlet = pylsl.StreamOutlet(info)
    else:
        outlet = MarkerOutlet(name, name)
    listener = RewardListener(StreamQuery(name=name), desk)
    try:
        assert outlet.wait_for_consumers(10.0)
        if numbers:
            outlet.push_sample([0.0], 5.0)
        else:
            outlet.push("wrong", 5.0)
        assert came.wait(10.0)
    finally:
        listener.stop()
        del outlet
    assert rewards == [0.0]


def test_a_reward_stream_that_is_not_there_is_one_line():
    """Its name is said."""
    desk = RewardDesk(9.0, lambda text: None)
    with pytest.raises(StreamError, match="no-such-rewards"):
        RewardListener(StreamQuery(name="no-such-rewards"), desk, timeout_s=0.2)
