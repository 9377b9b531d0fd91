"""Decisions in real time: the decoder, its thread, what it puts out, and its replay."""

from bci.online.cues import CueTracker
from bci.online.decision import Decision, Presentation
from bci.online.decoder import OnlineDecoder, Script
from bci.online.latency import LatencyAccount, LatencyReport
from bci.online.live import LiveDecoding
from bci.online.outputs import DecisionOutlet
from bci.online.replay import Replay, replay
from bci.online.runner import DecoderThread
from bci.online.smoothing import Smoother
from bci.online.teaching import AdaptSettings
from bci.online.trials import Cue, TrialOutcome, score_trials
from bci.online.verification import RunVerification, Verification, verify

__all__ = [
    "AdaptSettings",
    "Cue",
    "CueTracker",
    "Decision",
    "DecisionOutlet",
    "DecoderThread",
    "LatencyAccount",
    "LatencyReport",
    "LiveDecoding",
    "OnlineDecoder",
    "Presentation",
    "Replay",
    "RunVerification",
    "Script",
    "Smoother",
    "TrialOutcome",
    "Verification",
    "replay",
    "score_trials",
    "verify",
]
