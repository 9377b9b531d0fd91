"""The command line: ``bci COMMAND``. One file a command.

Exit codes: 0 done, 2 what the user gave cannot be used, 3 not certified, 1 our fault. Results go
to standard output, everything else to standard error.
"""

import gc
import importlib
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import typer

from bci import __version__
from bci.errors import InputError, RolandicError
from bci.private import PrivateLog, private_folder

__all__ = ["main"]

_log = logging.getLogger(__name__)

#: Command: the module that holds its function `command`, and the first line of its help, which the
#: list of commands shows without importing them all (2.8 s, against 0.2 s).
COMMANDS = {
    "demo": (
        "bci.cli.demo",
        "Calibrate, train, decode live over LSL, and report; on a simulated person or recordings.",
    ),
    "record": (
        "bci.cli.record",
        "Record LSL streams to an XDF file until Ctrl-C (or TERM), or for a duration.",
    ),
    "train": ("bci.cli.train", "Train a decoder on recordings and write it as a model."),
    "recalibrate": (
        "bci.cli.recalibrate",
        "Align a model with a new session by a few labelled trials of it.",
    ),
    "quality": (
        "bci.cli.quality",
        "Judge the electrodes of recordings, and the trials: what is wrong and what to do.",
    ),
    "evaluate": ("bci.cli.evaluate", "Cross-validate decoders on recordings."),
    "features": (
        "bci.cli.features",
        "Show what tells the classes apart: spectra, connectivity, contrast, suggested features.",
    ),
    "replay": (
        "bci.cli.replay",
        "Decode a recording hop by hop, exactly as it would be, or was, decoded live.",
    ),
    "export": (
        "bci.cli.export",
        "Write the recordings of a workspace as BIDS: BrainVision, events, channels, electrodes.",
    ),
    "repair": ("bci.cli.repair", "Complete a recording that was cut or damaged."),
    "verify": (
        "bci.cli.verify",
        "Check a session against its event log: the chain of the log, and the hash of each file.",
    ),
    "simulate": (
        "bci.cli.simulate",
        "Put a simulated person, or a recording, on the network as an LSL amplifier.",
    ),
    "daemon": (
        "bci.cli.daemon",
        "Acquire, record, decode and publish, as a settings file says, until told to stop.",
    ),
    "status": (
        "bci.cli.status",
        "Show how a daemon is: files, streams, decoder, quality, and what it had to say.",
    ),
    "preflight": (
        "bci.cli.preflight",
        "Before a session: folder, space, and whether every stream is there and as it should be.",
    ),
    "doctor": (
        "bci.cli.doctor",
        "Compile ahead, and check this machine: packages, folders, threads, clocks, LSL, screen.",
    ),
    "certify": (
        "bci.cli.certify",
        "Certify timing: acquire, record and decode a stream for minutes, and judge how that went.",
    ),
    "streams": ("bci.cli.streams", "List the LSL streams that are there."),
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
        code = _app(arguments)(args=arguments, standalone_mode=False)
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


def _app(arguments: list[str]) -> typer.Typer:
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

    given = next((text for text in arguments if not text.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        if name == given:
            app.command(name)(_import_command(module))
        else:
            app.command(name, help=summary)(_listed_only)
    return app


def _import_command(module: str) -> Callable[..., Any]:
    """Import a command's module without collecting garbage, of which imports make none.

    scikit-learn, SciPy and Numba make 190,000 objects that stay: walking them again and again took
    0.3 s of 2.2 s here, and 50 ms for each full collection in the middle of a live run. Once
    frozen they are never walked again.
    """
    gc.disable()
    try:
        command: Callable[..., Any] = importlib.import_module(module).command
    finally:
        gc.enable()
    gc.freeze()
    return command


def _listed_only() -> None:
    """Stand for a command in the list of commands."""


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
        private_folder(folder)
        path = folder / "rolandic.log"
        file = PrivateLog(path, maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True)
    except OSError:
        return None  # a read-only home: the console is all there is
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(file)
    return path
