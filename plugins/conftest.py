"""Plugins whose extra is not installed have nothing to be collected of."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["bci_rleegnet"]
