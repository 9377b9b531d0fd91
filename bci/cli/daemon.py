"""``bci daemon``: acquire, record, decode and publish, without a screen."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bci.cli import output
from bci.daemon.control import ask, private_folder
from bci.daemon.settings import load_settings
from bci.errors import SettingsError
from bci.private import PrivateLog

__all__ = ["command"]

_LOG_BYTES, _N_LOGS = 2_000_000, 5
# What journald makes a level of, at the beginning of a line.
_LEVELS = {logging.INFO: "<6>", logging.WARNING: "<4>", logging.ERROR: "<3>"}


def command(
    settings_file: Annotated[
        Path, typer.Argument(metavar="SESSION.toml", help="Its settings, as in packaging/.")
    ],
    stop: Annotated[
        bool, typer.Option("--stop", help="Tell the daemon of these settings to end.")
    ] = False,
    new_file: Annotated[
        bool, typer.Option("--new-file", help="Tell it to begin a new file.")
    ] = False,
) -> None:
    """Acquire, record, decode and publish, as a settings file says, until told to stop.

    TERM and INT (Ctrl-C) end it in order, HUP begins a new file; on every system --stop and
    --new-file do the same. `bci status` shows how it is.
    """
    settings = load_settings(settings_file)
    workspace = settings.workspace.folder
    if stop or new_file:
        if stop and new_file:
            raise SettingsError("--stop and --new-file: give one of them")
        answer = ask(workspace, "stop" if stop else "new-file", timeout_s=60.0)
        output.results_console().print(answer.get("done", ""), soft_wrap=True)
        return
    from bci.daemon.daemon import Daemon  # what asks a daemon need not load one

    daemon = Daemon(settings, settings_file.absolute())
    _log_to(private_folder(workspace) / "daemon.log")
    daemon.run()
    _leave()


def _log_to(path: Path) -> None:
    """Log into the workspace too, and what happens to standard error, for a service manager."""
    logger = logging.getLogger("bci")
    file = PrivateLog(path, maxBytes=_LOG_BYTES, backupCount=_N_LOGS, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(file)
    console = next(
        (h for h in logger.handlers if type(h) is logging.StreamHandler), logging.StreamHandler()
    )
    console.setLevel(logging.INFO)
    if "JOURNAL_STREAM" in os.environ:
        console.setFormatter(_JournalLine())


class _JournalLine(logging.Formatter):
    """A record as one line, its level as journald reads it."""

    def format(self, record: logging.LogRecord) -> str:
        return _LEVELS.get(record.levelno, "<2>") + " ".join(record.getMessage().split())


def _leave() -> None:
    """End the process now: what Python does on its way out takes longer than the recorder's end.

    All files are closed and all processes of this one have ended.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
