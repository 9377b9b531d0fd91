"""What a session is set to: who, with what, by which protocol."""

from pydantic import Field

from bci.config import EpochSettings, OnlineSettings, Pseudonym, SessionLabel, Settings
from bci.paradigm import GrazSettings, PresentationSettings

__all__ = ["SessionSetup"]


class SessionSetup(Settings):
    """All that the clinician chooses for a session.

    Attributes
    ----------
    subject : str
        Pseudonym.
    session : str
        Label, such as ``01`` or ``pre``.
    operator : str
        Who runs it; initials, say.
    montage : str
        Where the electrodes are, see `bci.features.scalp.read_montage`; empty: what the stream
        says, or the standard head.
    stream : str
        Source id of the amplifier that was connected last.
    unit : str
        Of its channels, where the stream does not say.
    mains_hz : float
    bad_channels : tuple of str
        Not used by any decoder or map.
    protocol : GrazSettings
        Of a calibration run.
    feedback : GrazSettings
        Of a cued online run.
    epochs : EpochSettings
    online : OnlineSettings
    decoder : str
        Registered name of the one that is trained by default.
    adapt : str
        Arm by which the decoder goes on learning online (`bci.decoders.adapt`).
    rewards : str
        From where arms that learn from right and wrong are told: empty, the cues; ``"key"``, the
        clinician's keys; else the name of an LSL stream.
    cue_stream : str
        Name, or source id, of the LSL stream of another program that gives the cues; empty: this
        one gives them.
    presentation : PresentationSettings
        How cues are shown to the patient.
    scene : str
        Feedback scene in the patient's window.
    """

    subject: Pseudonym
    session: SessionLabel
    operator: str = Field(default="", max_length=60)
    montage: str = ""
    stream: str = ""
    unit: str = ""
    mains_hz: float = Field(default=50.0, gt=0)
    bad_channels: tuple[str, ...] = ()
    protocol: GrazSettings = GrazSettings()
    feedback: GrazSettings = GrazSettings(trials_per_class=10)
    epochs: EpochSettings = EpochSettings()
    online: OnlineSettings = OnlineSettings()
    decoder: str = "acm-svm"
    adapt: str = "frozen"
    rewards: str = Field(default="", max_length=200)
    cue_stream: str = Field(default="", max_length=200)
    presentation: PresentationSettings = PresentationSettings()
    scene: str = "bar"
