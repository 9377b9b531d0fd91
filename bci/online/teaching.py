"""What a live run's arm is told: trials as they end, and what becomes known of each."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from pydantic import Field

from bci.config import OnlineSettings, Settings
from bci.decoders import Model
from bci.decoders.adapt import ARMS, Adapter, Revealed, available_arms, make_adapter
from bci.errors import SettingsError
from bci.online.adaptation import LATEST_S, Adaptation, Ask, Update, state_hash
from bci.online.reward import RewardDesk, RewardListener
from bci.online.trials import TrialOutcome
from bci.signal import hop_samples, span_ends
from bci.sources.discovery import StreamQuery

__all__ = [
    "AdaptSettings",
    "Teacher",
    "adapt_settings",
    "adapter_for",
    "check_arm",
    "learns_from_rewards",
    "replayed_adaptation",
]


_log = logging.getLogger(__name__)


class AdaptSettings(Settings):
    """How a decoder goes on learning online.

    Attributes
    ----------
    arm : str
        See `bci.decoders.adapt.available_arms`.
    params : dict
        Of the arm.
    told : {"cue", "stream", "key"}
        From where it becomes known how a trial went: its cue (arms that learn from rewards are
        told only whether the decision was right); an LSL stream of rewards; `Teacher.reward`.
    stream : str
        Name of that stream.
    guard : bool
        Take the arm back when the trained decoder does better (`bci.decoders.adapt_guard`).
    """

    arm: str
    params: dict[str, float] = Field(default_factory=dict)
    told: Literal["cue", "stream", "key"] = "cue"
    stream: str = Field(default="rewards", min_length=1, max_length=200)
    guard: bool = True


def adapt_settings(model: Model, arm: str = "", rewards: str = "") -> AdaptSettings | None:
    """Return how a model adapts: by this arm, else by that on its card; None: not at all.

    Parameters
    ----------
    model : Model
    arm : str
    rewards : str
        Name of an LSL stream of rewards; ``"key"``: they come by key; empty: cues tell.

    Raises
    ------
    SettingsError
        When the arm does not exist, or not for this model.
    """
    kept = model.card.get("adapt") or {}
    arm = arm or str(kept.get("arm", ""))
    if not arm:
        return None
    params = kept.get("params", {}) if kept.get("arm") == arm else {}
    told: dict[str, str] = {}
    if rewards:
        told = {"told": "key"} if rewards == "key" else {"told": "stream", "stream": rewards}
    settings = AdaptSettings.make(arm=arm, params=params, **told)
    make_adapter(arm, model, **params)
    return settings


def adapter_for(
    settings: AdaptSettings, model: Model, hop_s: float, state: Mapping[str, Any] | None = None
) -> Adapter:
    """Return the arm, new or with what another of its kind has learned."""
    params: dict[str, Any] = dict(settings.params)
    if settings.arm in ARMS:
        params["hop_s"] = hop_s
    adapter = make_adapter(settings.arm, model, guard=settings.guard, **params)
    if state is not None:
        adapter.carry_on(state)
    return adapter


def learns_from_rewards(arm: str) -> bool:
    """Whether an arm is told of right and wrong only, even where the class is known."""
    return "reward" in arm or arm.startswith("linucb")


def replayed_adaptation(
    model: Model,
    online: OnlineSettings,
    header: Mapping[str, Any],
    updates: list[Update],
    breaks_at: int | None,
) -> Adaptation:
    """Return what learns in a replay as a live run did.

    Parameters
    ----------
    header : mapping
        From `Teacher.header`, out of the log.
    updates : list of Update
        Out of the log, in the replay's samples.
    breaks_at : int or None
        The hop at which the arm was out.
    """
    settings = AdaptSettings.make(**header["settings"])
    adapter = adapter_for(settings, model, online.hop_s, header["state"])
    script = sorted((u for u in updates if not u.error), key=lambda update: update.asked)
    return Adaptation(adapter, model, online.hop_s, script=script, breaks_at=breaks_at)


class Teacher:
    """Tells the arm of a live run how trials went; owns the thread in which it learns.

    Parameters
    ----------
    settings : AdaptSettings
    model : Model
    online : OnlineSettings
    on_notice : callable
        Called with a line when rewards go wrong or the arm was taken back.
    on_update : callable
        Called in the decoder's thread with each `Update`.

    Raises
    ------
    SettingsError
        When the arm does not exist, or not for this model.
    """

    def __init__(
        self,
        settings: AdaptSettings,
        model: Model,
        online: OnlineSettings,
        on_notice: Callable[[str], Any] = lambda text: None,
        on_update: Callable[[Update], Any] = lambda update: None,
    ) -> None:
        self.settings, self._model, self._online = settings, model, online
        self._on_notice, self._on_update = on_notice, on_update
        adapter_for(settings, model, online.hop_s)  # before the wait
        first, self._until = span_ends(model.epochs, model.rate_hz)
        self._after = first - hop_samples(online.hop_s, model.rate_hz)
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="adaptation")
        self.adaptation: Adaptation | None = None
        self._listener: RewardListener | None = None
        self.desk = RewardDesk(self._until / model.rate_hz + LATEST_S, on_notice)
        self.n_updates = self.n_failed = self._n_reverted = 0

    def begin(self) -> None:
        """Listen for rewards, where they come over LSL.

        Raises
        ------
        StreamError
            When there is no such stream, or several.
        """
        if self.settings.told == "stream":
            query = StreamQuery(name=self.settings.stream)
            self._listener = RewardListener(query, self.desk, self._on_notice)

    def next_adaptation(self) -> Adaptation | None:
        """Return what learns in the next run of the decoder; None when the arm is out."""
        last, state = self.adaptation, None
        if last is not None:
            if not last.works:
                return None
            state = last.adapter.state
        adapter = adapter_for(self.settings, self._model, self._online.hop_s, state)
        self.adaptation = Adaptation(adapter, self._model, self._online.hop_s, self.pool)
        return self.adaptation

    def warm_up(self, windows: Any) -> None:
        """Learn once from noise, and forget it: every first call is paid for."""
        adapter = adapter_for(self.settings, self._model, self._online.hop_s)
        try:
            adapter.probabilities(windows)
            adapter.observe(windows)
            adapter.reveal(windows, 0, Revealed(0, None))
            adapter.copy().reveal(windows, 0, Revealed(None, 1.0))
            state_hash(adapter.state)
        except Exception:
            # Of a plugin: in the run, too, it is isolated, and spoken of.
            _log.exception("arm %s failed on noise", self.settings.arm)

    def header(self, adaptation: Adaptation) -> dict[str, Any]:
        """Return what a replay must know of the arm at a run's start."""
        state = adaptation.begun_with
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "state": state, "state_sha256": state_hash(state)}

    def trial_began(self, cue_s: float) -> None:
        """Take the time of a cue (LSL clock, s)."""
        if self.settings.told != "cue":
            self.desk.trial_began(cue_s)

    def reward(self, value: float, time_s: float) -> None:
        """Take a reward by key: 1 right, 0 wrong, and when (LSL clock, s); from any thread."""
        self.desk.take(f"{value:g}", time_s)

    def trial_over(self, outcome: TrialOutcome) -> None:
        """Take a trial that is over; in the decoder's thread."""
        adaptation = self.adaptation
        if adaptation is None or outcome.decoded is None:
            return
        classes = self._model.classes
        chosen, at = classes.index(outcome.decoded), outcome.sample
        windows = adaptation.windows_in(at + self._after, at + self._until)

        def told(revealed: Revealed) -> None:
            adaptation.ask(Ask(at, chosen, revealed, windows))

        if self.settings.told == "cue":
            label = None if learns_from_rewards(self.settings.arm) else classes.index(outcome.cue)
            told(Revealed(label, float(outcome.correct)))
        else:
            self.desk.trial_over(outcome.time_s, lambda value: told(Revealed(None, value)))

    def took(self, update: Update) -> None:
        """Take what became of a trial; in the decoder's thread."""
        self.n_updates += not update.error
        self.n_failed += bool(update.error)
        if update.error and self.n_failed == 1:
            self._on_notice(
                f"an update of arm {self.settings.arm} failed, the decoder stays as it was "
                f"({update.error})"
            )
        reverted = int(update.effect.get("reverted", 0))
        if reverted > self._n_reverted:
            ended = ": it learns no more in this session" if update.effect.get("ended") else ""
            self._on_notice(
                "adaptation did worse than the decoder as it was trained, and was taken back"
                + ended
            )
        self._n_reverted = reverted
        self._on_update(update)

    @property
    def effect(self) -> dict[str, Any]:
        """What adaptation comes to so far.

        Returns
        -------
        dict
            ``arm``; `GuardedAdapter.effect`; ``n_updates``, ``n_failed``; ``rewards`` by what
            became of them; ``works``: False when the arm failed and the trained decoder decides.
        """
        adaptation = self.adaptation
        return {
            "arm": self.settings.arm,
            **(adaptation.effect if adaptation is not None else {}),
            "n_updates": self.n_updates,
            "n_failed": self.n_failed,
            "rewards": dict(self.desk.counts),
            "works": adaptation is None or adaptation.works,
        }

    def finish(self) -> None:
        """End the thread; more than once is harmless."""
        if self._listener is not None:
            self._listener.stop()
        self.pool.shutdown(cancel_futures=True)


def check_arm(arm: str) -> None:
    """Raise SettingsError for an arm that is unknown, before any work."""
    if arm and arm not in available_arms():
        raise SettingsError(f"arm {arm!r} is unknown: choose one of {', '.join(available_arms())}")
