"""What a recording may be called, when somebody else chooses.

A name never becomes a path of the network's choosing. Values of options are labels without
separators; a template may name folders, each a plain name, under the workspace; the person must be
a pseudonym. LabRecorder's wildcards are ``%p`` participant, ``%s`` session, ``%b`` task, ``%a``
acquisition, ``%m`` modality, ``%n`` and ``%r`` the number of the run.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bci.daemon.remote_protocol import shown
from bci.errors import SettingsError
from bci.pseudonyms import check_pseudonym, check_session
from bci.recording.naming import is_device, next_free

__all__ = ["FileName", "claim"]

_LONGEST_LABEL = 64
_LONGEST_TEMPLATE = 200
_DEEPEST = 6
_LAST_RUN = 9999
_LABEL = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")
_PART = re.compile(r"[A-Za-z0-9%][A-Za-z0-9%._+=@,()-]*")


@dataclass(frozen=True, slots=True)
class FileName:
    """What the next recording will be called, as far as it has been said.

    Attributes
    ----------
    participant, session, task, acquisition, modality : str
        Labels; `acquisition` may be empty.
    run : int
        The first number that is tried.
    template : str
        Path under the workspace, with LabRecorder's wildcards; empty: that of BIDS.
    """

    participant: str = "unnamed"
    session: str = "S001"
    task: str = "Default"
    acquisition: str = ""
    modality: str = "eeg"
    run: int = 1
    template: str = ""

    def changed(
        self, options: Collection[tuple[str, str]], is_root: Callable[[str], bool]
    ) -> "FileName":
        """Return the name with options changed, all of them or none; an empty value: the default.

        >>> name = FileName().changed([("participant", "P003")], is_root=lambda root: False)
        >>> name.pattern
        PurePosixPath('sub-P003/ses-S001/eeg/sub-P003_ses-S001_task-Default_run-{run}_eeg.xdf')

        Parameters
        ----------
        options : pairs of (str, str)
            As :func:`parse` returns them.
        is_root : callable
            Whether a root is the workspace.

        Raises
        ------
        SettingsError
            When an option is unknown or its value cannot be used: with the reason.
        """
        values: dict[str, str | int] = {}
        default = FileName()
        for option, value in options:
            if option == "root":
                _check_root(value, is_root)
            elif option not in self.__slots__:
                raise SettingsError(
                    f"filename: unknown option {shown(option)}: there are root, "
                    + ", ".join(self.__slots__)
                )
            elif not value:
                values[option] = getattr(default, option)
            elif option == "run":
                values[option] = _run(value)
            else:
                values[option] = _CHECKS.get(option, _label)(option, value)
        name = replace(self, **values)  # type: ignore[arg-type]
        name.pattern  # noqa: B018 - a template and labels that are fine may together be too long
        return name

    @property
    def pattern(self) -> PurePosixPath:
        """The path under the workspace, filled in but for the ``{run}`` of the file's name.

        Raises
        ------
        SettingsError
            When the whole is too long.
        """
        template = self.template or _bids(acquisition=bool(self.acquisition))
        wildcards = {
            "p": self.participant,
            "s": self.session,
            "b": self.task,
            "a": self.acquisition,
            "m": self.modality,
        }
        *folders, name = template.split("/")
        run = f"{self.run:02d}"
        parts = [_filled(folder, wildcards | {"n": run, "r": run}) for folder in folders]
        parts.append(_filled(name, wildcards | {"n": "{run}", "r": "{run}"}))
        path = PurePosixPath(*parts)
        if len(str(path)) > _LONGEST_TEMPLATE:
            raise SettingsError(
                f"filename: the whole name has {len(str(path))} characters; at most "
                f"{_LONGEST_TEMPLATE} fit every system"
            )
        for part in parts:
            _check_part(part.replace("{run}", "01"))
        return path


def claim(folder: Path, name: FileName) -> Path:
    """Claim the file of a name: the first run that is not taken.

    Parameters
    ----------
    folder : Path
        Under which recordings are made; must exist. Folders are made in it, private to the user.
    name : FileName

    Returns
    -------
    Path
        As `next_free` gives it out.

    Raises
    ------
    SettingsError
        When a link leads out of the folder, or the file cannot be made.
    """
    pattern, root = name.pattern, folder.resolve()
    for part in pattern.parent.parts:
        folder = folder / part
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            inside = folder.resolve().is_relative_to(root)
        except OSError as error:
            raise SettingsError(f"{folder} cannot be made: {error.strerror}") from error
        if not inside:
            raise SettingsError(f"{folder} is a link that leads out of the workspace: remove it")
    return next_free(folder, pattern.name, run=name.run)


def _bids(*, acquisition: bool) -> str:
    optional = "_acq-%a" if acquisition else ""
    return f"sub-%p/ses-%s/%m/sub-%p_ses-%s_task-%b{optional}_run-%r_%m.xdf"


def _filled(part: str, wildcards: dict[str, str]) -> str:
    return re.sub("%(.)", lambda match: wildcards[match[1]], part)


def _check_root(value: str, is_root: Callable[[str], bool]) -> None:
    if not is_root(value):
        raise SettingsError(
            f"filename: root {shown(value)} is not the workspace, and recordings are made "
            "nowhere else: leave root out, or list it under roots in the settings to have it "
            "stand for the workspace"
        )


def _run(value: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", value) or not 0 < int(value) <= _LAST_RUN:
        raise SettingsError(
            f"filename: run {shown(value)}: give a whole number from 1 to {_LAST_RUN}"
        )
    return int(value)


def _label(option: str, value: str) -> str:
    if len(value) > _LONGEST_LABEL:
        raise SettingsError(
            f"filename: {option} {shown(value)} is longer than {_LONGEST_LABEL} characters"
        )
    if not _LABEL.fullmatch(value):
        raise SettingsError(
            f"filename: {option} {shown(value)}: letters A to Z, digits, - and _ may stand here, "
            "a letter or digit first"
        )
    if is_device(value):
        raise SettingsError(f"filename: {option} {shown(value)} is a device of Windows")
    return value


def _participant(option: str, value: str) -> str:
    try:
        return check_pseudonym(value)
    except ValueError as error:
        # The value is not repeated: a name that was sent must not travel on into a log.
        raise SettingsError(f"filename: {option}: {error}") from error


def _session(option: str, value: str) -> str:
    try:
        return check_session(value)
    except ValueError as error:
        raise SettingsError(f"filename: {option}: {error}") from error


def _template(option: str, value: str) -> str:
    """Return a template with ``/`` between its parts."""
    if re.match(r"[/\\]|[A-Za-z]:", value):
        raise SettingsError(
            f"filename: {option} {shown(value)} is an absolute path; it is a name under the "
            "workspace"
        )
    parts = re.split(r"[/\\]", value)
    if len(parts) > _DEEPEST:
        raise SettingsError(
            f"filename: {option} {shown(value)} is deeper than {_DEEPEST - 1} folders"
        )
    if not re.search(r"\.[A-Za-z]+$", parts[-1]):
        parts[-1] += ".xdf"
    if not parts[-1].lower().endswith(".xdf"):
        raise SettingsError(f"filename: {option} {shown(value)}: recordings are XDF; write .xdf")
    for part in parts:
        _check_part(part)
        if unknown := re.search("%(?![psbamnr])..?|%$", part):
            raise SettingsError(
                f"filename: {option} {shown(value)}: {unknown[0]!r} is no wildcard; there are "
                "%p %s %b %a %m %n %r"
            )
    return "/".join(parts)


def _check_part(part: str) -> None:
    if not _PART.fullmatch(part) or ".." in part or part.endswith("."):
        raise SettingsError(
            f"filename: {shown(part)} is no plain name (letters A to Z, digits and . _ - + = @ , "
            "( ), beginning with a letter or digit)"
        )
    if is_device(part):
        raise SettingsError(f"filename: {shown(part)} is a device of Windows")


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "participant": _participant,
    "session": _session,
    "template": _template,
}
