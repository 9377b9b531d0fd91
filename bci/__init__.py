"""Rolandic: a real-time motor-imagery brain-computer interface."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rolandic")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
