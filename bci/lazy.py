"""Packages whose names are imported when they are first asked for.

The window and ``bci --help`` start in a second, though what is behind their packages (scikit-learn,
Numba, SciPy's statistics, MNE) takes several to import.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["names_of"]


def names_of(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``, which finds its public names in its modules.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    places : mapping of str to str
        Module of each public name. A name must not be a module's of the package, too: that would
        hide it.

    >>> names_of("bci", {"pi": "math"})("pi") > 3
    True
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
