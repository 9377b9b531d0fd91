"""What importing the package does, and does not."""

import subprocess
import sys


def imported(module):
    """Return the names of the modules that importing one loads, in a fresh interpreter."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    return set(done.stdout.split())


def test_the_core_loads_no_qt():
    """Nothing under bci brings a window system with it."""
    names = imported("bci.experiment, bci.report, bci.cli")
    assert not [n for n in names if n.startswith(("PySide", "PyQt", "pyqtgraph", "qtpy"))]


def test_the_command_line_starts_light():
    """Before a command is chosen none of the heavy libraries is loaded."""
    assert not imported("bci.cli") & {"mne", "sklearn", "numba", "matplotlib", "pyriemann"}
