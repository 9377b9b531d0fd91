"""What is asked of an arm: that a session can trust it, and a replay repeat it bit for bit.

Each check is a function of an `AdapterCase`; its docstring's first line is what must hold.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bci.decoders.adapt import Adapter, Revealed
from bci.decoders.base import F64
from bci.testing.cases import AdapterCase, global_seed, made_session, one_trial, state_text
from bci.testing.errors import ConformanceError, require, said
from bci.testing.made import made_trials

__all__ = ["ADAPTER_CHECKS", "check_adapter"]


def check_adapter(
    factory: Callable[..., Adapter] | str,
    *,
    decoder: str = "ts-lr",
    told: str = "",
    params: Mapping[str, Any] | None = None,
    **limits: float,
) -> tuple[str, ...]:
    """Hold an arm to the contract.

    Parameters
    ----------
    factory : callable or str
        ``factory(model, seed=seed)`` returns the arm; or a registered name.
    decoder : str
        Registered name of the decoder whose models it learns.
    told : {"", "label", "reward", "nothing"}
        What it learns from; empty: not checked.
    params : mapping, optional
        Of that decoder, in place of its defaults.
    **limits
        ``decision_s``, ``reveal_s``, ``copy_s`` of `AdapterCase`.

    Returns
    -------
    tuple of str
        What was checked.

    Raises
    ------
    ConformanceError
        With everything that is not kept.
    """
    if isinstance(factory, str):
        case = AdapterCase.registered(factory, decoder, told=told, params=params, **limits)
    else:
        case = AdapterCase(factory, decoder, told, dict(params or {}), **limits)
    failures = []
    for title, check in ADAPTER_CHECKS.items():
        try:
            check(case)
        except ConformanceError as error:
            failures.append(f"{title}: {error}")
    if failures:
        raise ConformanceError("\n".join(failures))
    return tuple(ADAPTER_CHECKS)


def _gives_probabilities(case: AdapterCase) -> None:
    """Require rows that are finite and sum to 1, before and after learning."""
    adapter = case.arm()
    _check_rows(adapter, case.probe())
    _check_rows(case.taught(adapter), case.probe())


def _check_rows(adapter: Adapter, windows: F64) -> None:
    with said("deciding"):
        p = np.asarray(adapter.probabilities(windows))
    require(p.shape == (len(windows), 3), f"probabilities of shape {p.shape}")
    require(np.isfinite(p).all() and (p >= 0).all(), "probabilities are negative or no numbers")
    require(np.allclose(p.sum(axis=1), 1, atol=1e-9), "rows of probabilities do not sum to 1")


def _decides_without_learning(case: AdapterCase) -> None:
    """Require that deciding changes nothing, however often it is asked."""
    adapter, quiet = case.taught(case.arm(), 4), case.taught(case.arm(), 4)
    before = state_text(adapter)
    first = np.array(adapter.probabilities(case.probe()))
    adapter.probabilities(made_trials(6, 3, seed=5)[0])
    require(state_text(adapter) == before, "probabilities() changes the state")
    require(
        np.array_equal(adapter.probabilities(case.probe()), first),
        "probabilities() of the same windows change by asking",
    )
    case.taught(adapter, 4, start=4)
    case.taught(quiet, 4, start=4)
    same = state_text(adapter) == state_text(quiet)
    require(same, "what is asked in between changes what is learned")


def _is_deterministic(case: AdapterCase) -> None:
    """Require that the same calls give the same bits, whatever the global random generator."""
    with global_seed(1):
        first = case.taught(case.arm(seed=3))
    with global_seed(2):
        second = case.taught(case.arm(seed=3))
    require(
        state_text(first) == state_text(second)
        and np.array_equal(first.probabilities(case.probe()), second.probabilities(case.probe())),
        "the same calls give other bits: a replay could not repeat the session; draw from a "
        "generator of your own, seeded by `seed`",
    )


def _carries_on_exactly(case: AdapterCase) -> None:
    """Require that from its state, through JSON, another goes on with the same bits."""
    first = case.taught(case.arm(), 5)
    state = json.loads(state_text(first))
    second = case.arm()
    with said("carrying on"):
        second.carry_on(state)
    require(state_text(second) == state_text(first), "carry_on() does not give back the state")
    for adapter in (first, second):
        case.taught(adapter, 4, start=5)
    require(
        state_text(second) == state_text(first)
        and np.array_equal(second.probabilities(case.probe()), first.probabilities(case.probe())),
        "after carry_on() it learns otherwise: something is not in the state (a random generator, "
        "an optimiser's moments, a buffer), or not to the last bit",
    )


def _refuses_foreign_state(case: AdapterCase) -> None:
    """Require that foreign state is refused with KeyError or TypeError, and changes nothing."""
    adapter = case.taught(case.arm(), 3)
    before = state_text(adapter)
    try:
        adapter.carry_on({"not": "a state"})
    except (KeyError, TypeError):
        pass
    except Exception as error:
        raise ConformanceError(
            f"carry_on() of foreign state raised {type(error).__name__}, not KeyError or TypeError"
        ) from error
    else:
        require(
            before == state_text(case.arm()) or adapter.state == {},
            "carry_on() takes foreign state without a word",
        )
    require(state_text(adapter) == before, "carry_on() of foreign state leaves it changed")


def _state_is_a_snapshot(case: AdapterCase) -> None:
    """Require that state which was read and the arm do not move each other."""
    adapter = case.taught(case.arm(), 3)
    state = adapter.state
    before = json.dumps(state, sort_keys=True)
    case.taught(adapter, 3, start=3)
    adapter.state  # noqa: B018 (reading it must not refresh one that was read before)
    require(
        json.dumps(state, sort_keys=True) == before,
        "a state that was read changes as the arm goes on: return copies",
    )
    now = state_text(adapter)
    state.clear()
    adapter.state.clear()
    require(state_text(adapter) == now, "whoever empties the state that was read empties the arm")


def _copies_are_independent(case: AdapterCase) -> None:
    """Require that a copy goes on as the original would, and neither moves the other."""
    adapter = case.taught(case.arm(), 4)
    with said("copying"):
        other = adapter.copy()
    before, p = state_text(adapter), np.array(adapter.probabilities(case.probe()))
    require(state_text(other) == before, "a copy has another state")
    case.taught(other, 4, start=4)
    require(
        state_text(adapter) == before and np.array_equal(adapter.probabilities(case.probe()), p),
        "what a copy learns moves the original: a session learns on a copy while the original "
        "decides",
    )
    ahead = state_text(other)
    case.taught(adapter, 4, start=4)
    require(state_text(adapter) == ahead, "the original goes on otherwise than its copy")
    require(state_text(other) == ahead, "what the original learns moves its copy")


def _learns_whole_or_not(case: AdapterCase) -> None:
    """Require that a trial which cannot be used leaves the arm as it was, or whole."""
    for what, spoil in _SPOILT.items():
        adapter = case.taught(case.arm(), 3)
        before, p = state_text(adapter), np.array(adapter.probabilities(case.probe()))
        windows, chosen, revealed = spoil(next(made_session(3, 1))[0])
        try:
            adapter.reveal(windows, chosen, revealed)
        except Exception:
            # It may raise what it likes: the session logs it. It must not be half changed.
            require(
                state_text(adapter) == before
                and np.array_equal(adapter.probabilities(case.probe()), p),
                f"reveal() of {what} raised and left the arm changed: compute aside, swap in whole",
            )
        _check_rows(adapter, case.probe())
        with said(f"learning after {what}"):
            case.taught(adapter, 1, start=4)


def _with_nan(windows: F64) -> F64:
    damaged = windows.copy()
    damaged[-1, 0, 3] = np.nan
    return damaged


_SPOILT: Mapping[str, Callable[[F64], tuple[F64, int, Revealed]]] = {
    "windows with NaN": lambda windows: (_with_nan(windows), 0, Revealed(1, 1.0)),
    "windows of other channels": lambda windows: (windows[:, :5], 0, Revealed(1, 1.0)),
    "a class that does not exist": lambda windows: (windows, 7, Revealed(7, 1.0)),
    "no windows": lambda windows: (windows[:0], 0, Revealed(1, 1.0)),
}


def _keeps_no_hold_of_windows(case: AdapterCase) -> None:
    """Require that windows are not written to, and not kept by reference."""
    adapter, other = case.arm(), case.arm()
    for windows, label in made_session(0, 5):
        lent, before = windows.copy(), windows.copy()
        one_trial(adapter, lent, label)
        require(np.array_equal(lent, before), "windows that were lent are written to")
        lent[:] = 1.0
        one_trial(other, windows, label)
    case.taught(adapter, 2, start=5)
    case.taught(other, 2, start=5)
    require(
        state_text(adapter) == state_text(other),
        "windows are kept by reference: the session uses their memory again; copy what you keep",
    )


def _takes_trials_of_which_nothing_is_known(case: AdapterCase) -> None:
    """Require that trials without label and reward are taken, and nothing breaks."""
    adapter = case.arm()
    for windows, label in made_session(0, 3):
        one_trial(adapter, windows, label, Revealed(None, None))
    _check_rows(adapter, case.probe())


def _is_told_nothing_else(case: AdapterCase) -> None:
    """Require that what it is not to be told changes nothing: rewards, then no labels."""
    if not case.told:
        return
    one, other = case.arm(), case.arm()
    for windows, label in made_session(0, 8):
        chosen = int(np.asarray(one.probabilities(windows)).mean(axis=0).argmax())
        hit = float(chosen == label)
        a, b = _told(case.told, label, hit)
        for adapter, revealed in ((one, a), (other, b)):
            adapter.observe(windows)
            adapter.reveal(windows, chosen, revealed)
    require(
        state_text(one) == state_text(other),
        f"it is to learn from {case.told} alone, but something else that was revealed changes it",
    )


def _told(told: str, label: int, hit: float) -> tuple[Revealed, Revealed]:
    """Return two revelations that are the same to an arm that is told of one thing only."""
    if told == "reward":
        return Revealed(label, hit), Revealed((label + 1) % 3, hit)
    if told == "label":
        return Revealed(label, hit), Revealed(label, 1 - hit)
    return Revealed(label, hit), Revealed(None, None)


def _learns_beside_decisions(case: AdapterCase) -> None:
    """Require that a copy which learns in a thread beside decisions learns the same bits."""
    adapter = case.taught(case.arm(), 3)
    expected = case.taught(adapter.copy(), 4, start=3)
    p = np.array(adapter.probabilities(case.probe()))
    copied = adapter.copy()
    problems: list[Exception] = []

    def learn() -> None:
        try:
            case.taught(copied, 4, start=3)
        except Exception as error:  # it is handed to the thread that waits
            problems.append(error)

    thread = threading.Thread(target=learn, name="conformance")
    thread.start()
    same = True
    while thread.is_alive():
        same &= np.array_equal(adapter.probabilities(case.probe()), p)
    thread.join()
    require(not problems, f"learning in a thread raised {problems}")
    require(same, "decisions change while a copy learns")
    require(state_text(copied) == state_text(expected), "beside decisions it learns otherwise")


def _is_fast_enough(case: AdapterCase) -> None:
    """Require that a decision, a trial and a copy take no longer than the limits."""
    adapter = case.taught(case.arm(), 3)
    window = case.probe()[:1]
    trial, label = next(made_session(3, 1))
    for what, limit, call in (
        ("a decision", case.decision_s, lambda: adapter.probabilities(window)),
        ("copy()", case.copy_s, lambda: adapter.copy()),
        ("reveal()", case.reveal_s, lambda: adapter.reveal(trial, 0, Revealed(label, 1.0))),
    ):
        took = []
        for _ in range(12):
            began = time.perf_counter()
            call()
            took.append(time.perf_counter() - began)
        # The machine may be busy with other things: the lower quartile is the arm's.
        quartile = sorted(took)[3]
        require(
            quartile <= limit, f"{what} took {1e3 * quartile:.1f} ms (limit {1e3 * limit:g} ms)"
        )


#: What is asked, by name, in the order in which it is told.
ADAPTER_CHECKS: Mapping[str, Callable[[AdapterCase], None]] = {
    "gives_probabilities": _gives_probabilities,
    "decides_without_learning": _decides_without_learning,
    "is_deterministic": _is_deterministic,
    "carries_on_exactly": _carries_on_exactly,
    "refuses_foreign_state": _refuses_foreign_state,
    "state_is_a_snapshot": _state_is_a_snapshot,
    "copies_are_independent": _copies_are_independent,
    "learns_whole_or_not": _learns_whole_or_not,
    "keeps_no_hold_of_windows": _keeps_no_hold_of_windows,
    "takes_trials_of_which_nothing_is_known": _takes_trials_of_which_nothing_is_known,
    "is_told_nothing_else": _is_told_nothing_else,
    "learns_beside_decisions": _learns_beside_decisions,
    "is_fast_enough": _is_fast_enough,
}
