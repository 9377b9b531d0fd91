"""``bci --help``: the list of commands."""

import importlib
import inspect
import subprocess
import sys

import pytest

from bci.cli import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says(name):
    """The first line of the command's help stands in the list, word for word."""
    module, summary = COMMANDS[name]
    command = importlib.import_module(module).command
    assert summary == (inspect.getdoc(command) or "").partition("\n")[0]


def test_the_list_names_every_command(bci):
    """It is what ``bci`` alone prints, too."""
    listed = bci("--help")
    assert listed.code == 0
    assert bci().out == listed.out
    for name in COMMANDS:
        assert f" {name} " in listed.out


def test_listing_and_refusing_import_no_command():
    """What is asked of no command costs none of their imports (2.8 s)."""
    code = (
        "import sys; from bci.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'numpy', 'sklearn', 'numba', 'mne', 'pylsl'} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["--version"], ["no-such-command"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stderr
