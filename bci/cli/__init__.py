"""The command line: ``bci COMMAND``. One file a command.

Exit codes: 0 done, 2 what the user gave cannot be used, 1 our fault. Results go to standard
output, everything else to standard error.
"""

import importlib
import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path
from typing import Any

import platformdirs
import typer

from bci import __version__
from bci.errors import InputError, RolandicError

__all__ = ["main"]

_log = logging.getLogger(__name__)

#: Command: the module that holds its function `command`.
COMMANDS = {
    "demo": "bci.cli.demo",
    "record": "bci.cli.record",
    "train": "bci.cli.train",
    "evaluate": "bci.cli.evaluate",
    "replay": "bci.cli.replay",
    "simulate": "bci.cli.simulate",
    "streams": "bci.cli.streams",
}

# What a wrong option raises: typer keeps this base to itself and exports the leaf.
_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]


def main() -> None:
    """Run the command line and exit."""
    # Consoles of Windows may not know the characters of a progress bar or of a unit.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    log_file = _set_up_logging()
    # Being ended is as orderly as Ctrl-C: files are closed and processes ended on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = sys.argv[1:] or ["--help"]
    try:
        code = _app(arguments[0])(args=arguments, standalone_mode=False)
    except _USAGE_ERROR as error:
        _say(f"error: {_one_line(error.format_message())} (--help shows how)")
        raise SystemExit(2) from None
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except InputError as error:
        _say(f"error: {_one_line(str(error))}")
        raise SystemExit(2) from None
    except RolandicError as error:
        _say(f"error: {_one_line(str(error))}")
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read our output has had enough (`bci ... | head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception:
        _log.critical("a fault of Rolandic", exc_info=True)
        _say(
            "error: this is a fault of Rolandic, not of your input"
            + (f"; the details are in {log_file}" if log_file else "")
        )
        raise SystemExit(1) from None
    if code == 130:  # Ctrl-C, which typer may turn into this itself
        _say("stopped")
    raise SystemExit(code if isinstance(code, int) else 0)


def _app(first_argument: str) -> typer.Typer:
    """Build the application; a command given by name is the only one that is imported."""
    app = typer.Typer(
        name="bci",
        help="Rolandic: a real-time motor-imagery brain-computer interface.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def _common(
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    ) -> None:
        if version:
            sys.stdout.write(f"rolandic {__version__}\n")
            raise typer.Exit

    wanted = [name for name in COMMANDS if name == first_argument] or list(COMMANDS)
    for name in wanted:
        app.command(name)(importlib.import_module(COMMANDS[name]).command)
    return app


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class _OneLine(logging.Formatter):
    """A record as one line; its traceback goes to the log file only."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {_one_line(record.getMessage())}"


def _set_up_logging() -> Path | None:
    """Send warnings to standard error and everything, with tracebacks, to a rotating file."""
    root = logging.getLogger("bci")
    root.setLevel(logging.INFO)
    root.propagate = False
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.addFilter(lambda record: record.levelno < logging.CRITICAL)
    console.setFormatter(_OneLine())
    root.addHandler(console)
    try:
        folder = Path(platformdirs.user_log_dir("rolandic", appauthor=False))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "rolandic.log"
        file = logging.handlers.RotatingFileHandler(
            path, maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
        )
    except OSError:
        return None  # a read-only home: the console is all there is
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(file)
    return path
