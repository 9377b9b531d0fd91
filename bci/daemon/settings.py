"""The settings of a daemon: one TOML file, read whole or refused with the line that is wrong."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import pydantic
from pydantic import Field, field_validator, model_validator

from bci.config import Folder, LslSettings, OnlineSettings, Pseudonym, SessionLabel, Settings
from bci.daemon.file_names import FileName
from bci.daemon.remote_settings import RemoteSettings
from bci.daemon.settings_errors import one_line, problems_said
from bci.errors import SettingsError
from bci.preflight import ExpectedStream
from bci.recording.settings import RecorderSettings

__all__ = [
    "DaemonSettings",
    "DecodingSettings",
    "QualitySettings",
    "RecordingSettings",
    "StreamSettings",
    "WorkspaceSettings",
    "load_settings",
]

# A file of settings is a page of text; one that is not (a recording, a device) is not read whole.
_LARGEST_BYTES = 1 << 20


class WorkspaceSettings(Settings):
    """Where things are kept, and whose they are.

    Attributes
    ----------
    folder : Path
        The workspace; relative to the settings file. Made (0700) if it is not there, in a folder
        that is.
    subject : str
        A pseudonym.
    session, task : str
        Labels of the file names.
    """

    folder: Folder
    subject: Pseudonym
    session: SessionLabel = "01"
    task: str = Field(default="imagery", pattern=r"^[A-Za-z0-9]{1,32}$")


class StreamSettings(ExpectedStream):
    """A stream that is expected, and what for.

    Attributes
    ----------
    use : {"eeg", "markers", "record"}
        ``"eeg"``: watched and decoded, at most one; ``"markers"``: tells the decoder of cues, at
        most one; ``"record"``: only recorded, as both others are too.
    """

    use: Literal["eeg", "markers", "record"] = "record"

    @model_validator(mode="after")
    def _one_of_its_use(self) -> Self:
        if self.every and self.use != "record":
            raise ValueError(f'use = "{self.use}" is one stream: leave out every = true')
        return self


class RecordingSettings(RecorderSettings):
    """How the daemon records, beside what any recorder does.

    Attributes
    ----------
    at_start : bool
        Begin with the daemon; else the remote control begins.
    template : str
        Path of a recording under the workspace's ``sourcedata``, with the wildcards of the remote
        control (``%p`` subject, ``%s`` session, ``%b`` task, ``%r`` run, which counts up); empty:
        that of BIDS.
    planned_h : float
        How long there must be room for (h).
    orphan_s : float
        How long the recorder goes on when the daemon has died, for the next one to take over.
    """

    require_all: bool = False
    at_start: bool = True
    template: str = ""
    planned_h: float = Field(default=8.0, gt=0, le=24 * 366)
    orphan_s: float = Field(default=300.0, ge=0, le=86_400)

    @field_validator("require_all")
    @classmethod
    def _never(cls, value: bool) -> bool:
        if value:
            raise ValueError("the daemon records what is there and waits for the rest: leave it")
        return value

    @field_validator("template")
    @classmethod
    def _plain(cls, value: str) -> str:
        try:
            return FileName().changed([("template", value)], lambda root: False).template
        except SettingsError as error:
            raise ValueError(str(error).removeprefix("filename: template ")) from error

    def recorder(self) -> RecorderSettings:
        """Return the part that the recorder itself knows."""
        return RecorderSettings(**self.model_dump(include=set(RecorderSettings.model_fields)))


class DecodingSettings(OnlineSettings):
    """Decoding with a model, and what is published of it.

    Attributes
    ----------
    model : Path
        Relative to the settings file.
    adapt : str
        Arm by which the decoder goes on learning (`bci.decoders.adapt`); empty: what the model's
        card says, else none.
    rewards : str
        Name of an LSL stream that says whether each trial was right (1) or wrong (0); empty: the
        cues in the marker stream say it.
    publish : bool
        Put decisions on the network as an LSL stream: its port listens on every interface.
    name : str
        Of that stream.
    """

    model: Path
    adapt: str = ""
    rewards: str = Field(default="", max_length=200)
    publish: bool = False
    name: str = Field(default="Rolandic decisions", min_length=1, max_length=200)


class QualitySettings(Settings):
    """Watching the signal.

    Attributes
    ----------
    mains_hz : float
        Line frequency (Hz).
    publish : bool
        Put it on the network as an LSL stream, once a second.
    name : str
        Of that stream.
    """

    mains_hz: float = Field(default=50.0, ge=40, le=70)
    publish: bool = False
    name: str = Field(default="Rolandic quality", min_length=1, max_length=200)


class DaemonSettings(Settings):
    """All of it, one table each.

    Attributes
    ----------
    workspace : WorkspaceSettings
    streams : tuple of StreamSettings
    recording : RecordingSettings
    decoding : DecodingSettings or None
        None: nothing is decoded.
    quality : QualitySettings
    lsl : LslSettings
    remote : RemoteSettings
    """

    workspace: WorkspaceSettings
    streams: tuple[StreamSettings, ...] = Field(min_length=1, max_length=64)
    recording: RecordingSettings = RecordingSettings()
    decoding: DecodingSettings | None = None
    quality: QualitySettings = QualitySettings()
    lsl: LslSettings = LslSettings()
    remote: RemoteSettings = RemoteSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for use in ("eeg", "markers"):
            if sum(stream.use == use for stream in self.streams) > 1:
                raise ValueError(f'at most one of the streams may have use = "{use}"')
        if len({stream.query for stream in self.streams}) < len(self.streams):
            raise ValueError("two of the streams are the same: keep one, or add its source_id")
        if self.decoding is not None and self.stream("eeg") is None:
            raise ValueError('[decoding] needs a stream with use = "eeg"')
        return self

    @property
    def file_name(self) -> FileName:
        """Return what recordings are called until somebody says otherwise."""
        place = self.workspace
        return FileName(
            participant=place.subject,
            session=place.session,
            task=place.task,
            template=self.recording.template,
        )

    def stream(self, use: str) -> StreamSettings | None:
        """Return the stream of a use, if there is one."""
        return next((stream for stream in self.streams if stream.use == use), None)


def load_settings(path: Path) -> DaemonSettings:
    """Read a settings file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DaemonSettings
        Its paths are absolute.

    Raises
    ------
    SettingsError
        In one line: for each thing that is wrong the file, the line, the key, the value, and what
        would be right. Values of secrets are never in it.
    """
    text = _text_of(path)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: no TOML: {one_line(str(error))}") from error
    try:
        settings = DaemonSettings(**document)
    except pydantic.ValidationError as error:
        raise SettingsError(f"{path}{problems_said(error, text, DaemonSettings)}") from error
    return _with_absolute_paths(settings, path.absolute().parent)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > _LARGEST_BYTES:
        raise SettingsError(f"{path}: larger than {_LARGEST_BYTES} bytes: this is no settings file")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8 text: save it as UTF-8") from error


def _with_absolute_paths(settings: DaemonSettings, folder: Path) -> DaemonSettings:
    def absolute(path: Path) -> Path:
        try:
            return folder / path.expanduser()
        except RuntimeError as error:
            raise SettingsError(f"{path}: there is no such home folder: write it out") from error

    workspace = settings.workspace.model_copy(
        update={"folder": absolute(settings.workspace.folder)}
    )
    update: dict[str, Any] = {"workspace": workspace}
    if settings.decoding is not None:
        update["decoding"] = settings.decoding.model_copy(
            update={"model": absolute(settings.decoding.model)}
        )
    return settings.model_copy(update=update)
