"""Options that commands share, and what they mean."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bci.cli import output
from bci.config import EpochSettings, LslSettings
from bci.errors import ChannelError, SettingsError
from bci.events import parse_classes, parse_event_map
from bci.sources.labels import SENSORIMOTOR, canonical_label
from bci.sources.reading import open_recording, recording_hash
from bci.sources.recording import Recording

__all__ = [
    "AdaptOption",
    "BandOption",
    "ChannelsOption",
    "ClassesOption",
    "EventOption",
    "FoldsOption",
    "JsonOption",
    "LabelsOption",
    "LengthOption",
    "LslPeerOption",
    "LslScopeOption",
    "LslSessionOption",
    "ParamOption",
    "RecenterOption",
    "RecordingsArgument",
    "RejectOption",
    "SeedOption",
    "StepOption",
    "StreamOption",
    "UnitOption",
    "WindowOption",
    "check_decoders",
    "epoch_settings",
    "open_recordings",
    "parse_params",
    "set_lsl",
    "split_names",
]

RecordingsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="REC...", help="Recordings: any file that MNE reads, or XDF. Each is one run."
    ),
]
ClassesOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Classes to tell apart, in this order; default: all that the events name.",
    ),
]
EventOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=CLASS",
        help="Annotation that cues a class, such as T1=left_hand; repeat it. Default: class "
        "names and GDF cue names and codes. LABEL=none: the label means nothing.",
    ),
]
BandOption = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="Pass band of the causal filter (Hz)."),
]
WindowOption = Annotated[
    tuple[float, float],
    typer.Option(metavar="START STOP", help="Span of the trial that is used, after the cue (s)."),
]
LengthOption = Annotated[
    float | None,
    typer.Option(metavar="S", help="Length of a window (s); default: the whole span, one window."),
]
StepOption = Annotated[
    float | None,
    typer.Option(metavar="S", help="From one window of a trial to the next (s); with --length."),
]
ChannelsOption = Annotated[
    str | None,
    typer.Option(
        metavar="C3,C4,...|sensorimotor",
        help="Channels used; 'sensorimotor': those of FC5 to FC6, C5 to C6 and CP5 to CP6 that "
        "are there. Default: all EEG channels.",
    ),
]
RejectOption = Annotated[
    bool,
    typer.Option(
        "--reject",
        help="Don't learn from trials that stand out (amplitude, flat, muscle, potato); "
        "`bci quality` shows them. Test trials always count.",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        metavar="C3,C4,...", help="Names for the channels of files that carry none, in their order."
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option(metavar="UNIT", help="Unit of the samples where the file names none: uV, mV, V."),
]
StreamOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which EEG stream of an XDF file that holds several."),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="Parameter of the decoder, such as order=4; repeat it."
    ),
]
RecenterOption = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        min=1.0,
        help="Online, let the reference point follow the signal, without labels, with this time "
        "constant; 120 serves. Default: it stays where training found it.",
    ),
]
AdaptOption = Annotated[
    str | None,
    typer.Option(
        metavar="ARM",
        help="Online, go on learning: recenter, pseudo, supervised, reward, reward+recenter, "
        "linucb, linucb+recenter or a plugin's; frozen: don't. Default: as the model says.",
    ),
]
FoldsOption = Annotated[int, typer.Option(metavar="N", help="Folds of the cross-validation.")]
SeedOption = Annotated[
    int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Of all that is drawn at random.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout instead of the table.")
]
LslScopeOption = Annotated[
    str | None,
    typer.Option(
        metavar="SCOPE",
        help="How far LSL reaches: machine (default), link (the local network), site, "
        "organization, global.",
    ),
]
LslSessionOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="LSL session id; streams of another are not seen."),
]
LslPeerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST", help="Machine that is asked for streams, whatever the scope; repeat it."
    ),
]


def set_lsl(
    scope: str | None,
    session: str | None,
    peer: Sequence[str] | None,
    settings: LslSettings | None = None,
) -> LslSettings:
    """Set how far LSL reaches, for this process and those that it starts.

    To be called before anything looks for streams.

    Parameters
    ----------
    scope, session, peer
        The three options; what is not given is as `settings` have it.
    settings : LslSettings, optional
        Those of a settings file.

    Raises
    ------
    SettingsError
    """
    # pylsl loads liblsl, which not every command needs.
    from bci.sources.lsl_config import configure_lsl

    given = {
        "scope": scope,
        "session_id": session,
        "known_peers": tuple(peer) if peer else None,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    base = settings or LslSettings()
    chosen = LslSettings.make(**{**base.model_dump(), **changed})
    configure_lsl(chosen if changed or settings is not None else None)
    return chosen


def split_names(text: str | None) -> tuple[str, ...]:
    """Read ``C3, C4``.

    >>> split_names("C3, C4,")
    ('C3', 'C4')
    """
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def open_recordings(
    paths: Sequence[Path],
    *,
    unit: str | None = None,
    labels: str | None = None,
    stream: str | None = None,
) -> list[Recording]:
    """Open recordings with the options that say how to read them.

    Raises
    ------
    InputError
        For a file that cannot be used, or one that is given twice.
    """
    seen: dict[str, Path] = {}
    for path in paths if len(paths) > 1 else ():
        content = recording_hash(path)
        if content in seen:
            which = "given twice" if seen[content] == path else f"a copy of {seen[content]}"
            raise SettingsError(
                f"{path}: {which}; its trials would be both learned from and tested on"
            )
        seen[content] = path
    names = split_names(labels) or None
    return [open_recording(path, unit=unit, labels=names, stream=stream) for path in paths]


def epoch_settings(
    recordings: Sequence[Recording],
    *,
    classes: str | None,
    event: Sequence[str] | None,
    band: tuple[float, float],
    window: tuple[float, float],
    length: float | None,
    step: float | None,
    channels: str | None,
    reject: bool = False,
) -> EpochSettings:
    """Return the settings that the options stand for.

    Raises
    ------
    SettingsError, ChannelError
    """
    return EpochSettings.make(
        band_hz=band,
        window_s=window,
        length_s=length,
        step_s=step,
        classes=parse_classes(classes) if classes is not None else (),
        event_map=parse_event_map(event or ()),
        channels=_channels(channels, recordings),
        reject=reject,
    )


def _channels(text: str | None, recordings: Sequence[Recording]) -> tuple[str, ...]:
    names = split_names(text)
    if text is not None and not names:
        raise SettingsError(f"--channels {text!r}: name channels, such as C3,Cz,C4")
    if names != ("sensorimotor",):
        return names
    # Without recordings (a stream that is yet to be connected) all of them are meant.
    there = set(SENSORIMOTOR).intersection(
        *({canonical_label(label) for label in recording.info.labels} for recording in recordings)
    )
    chosen = tuple(label for label in SENSORIMOTOR if label in there)
    if not chosen:
        raise ChannelError(
            f"--channels sensorimotor: {', '.join(r.path.name for r in recordings)} share none of "
            f"{SENSORIMOTOR[0]} to {SENSORIMOTOR[-1]}: name channels, or give --labels"
        )
    return chosen


def parse_params(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read ``name=value`` pairs; a value that reads as a Python literal becomes it.

    >>> parse_params(["order=4", "kernel=rbf", "C=0.5", "search=true"])
    {'order': 4, 'kernel': 'rbf', 'C': 0.5, 'search': True}

    Raises
    ------
    SettingsError
    """
    params: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not (equals and name.isidentifier() and text):
            raise SettingsError(f"--param {pair!r}: write NAME=VALUE, such as order=4")
        if name in params:
            raise SettingsError(f"--param {name} is given twice: keep one")
        params[name] = _literal(text)
    return params


def check_decoders(names: Sequence[str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Check that every decoder is there and takes the parameters; warn of named features.

    Returns
    -------
    dict
        The parameters.

    Raises
    ------
    SettingsError
    """
    # scikit-learn takes a second to import, and not every command needs it.
    from bci.decoders import make_decoder

    for name in names:
        make_decoder(name, **params)
    if params.get("features"):
        output.show_warnings(
            [
                "features that were chosen on these recordings score too well on them: let the "
                "decoder choose in each fold (leave out features=), or score on new recordings"
            ]
        )
    return dict(params)


def _literal(text: str) -> Any:
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
