"""What pre-flight is to look at for a daemon's session."""

from bci.daemon.settings import DaemonSettings, StreamSettings
from bci.preflight import ExpectedStream, Plan

__all__ = ["session_plan"]


def session_plan(settings: DaemonSettings) -> Plan:
    """Return the plan of a session; the model that it decodes with is read.

    Raises
    ------
    ModelError
        For a file that is no model.
    """
    fits = {}
    eeg = settings.stream("eeg")
    if settings.decoding is not None and eeg is not None:
        # scikit-learn takes a second to import, and not every session decodes.
        from bci.decoders import load_model

        fits[eeg.label] = load_model(settings.decoding.model).match_stream
    return Plan(
        folder=settings.workspace.folder,
        streams=tuple(map(_expected, settings.streams)),
        planned_s=3600.0 * settings.recording.planned_h,
        lsl=settings.lsl,
        stop_bytes=settings.recording.disk_stop_bytes,
        room_bytes=settings.recording.room_bytes,
        fits=fits,
    )


def _expected(stream: StreamSettings) -> ExpectedStream:
    # All that a query selects are recorded; what is decoded must be one.
    every = stream.use == "record" and stream.source_id is None
    return stream.model_copy(update={"every": stream.every or every})
