"""Python and the packages that Rolandic needs, against what its own metadata asks for."""

import platform
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bci.checks import Check, failed, ok

__all__ = ["packages", "python"]

_DISTRIBUTION = "rolandic"


def python(name: str) -> Check:
    """Check the version of Python."""
    found = platform.python_version()
    try:
        wanted = metadata(_DISTRIBUTION)["Requires-Python"]
    except PackageNotFoundError:
        return failed(name, f"{found}; Rolandic is not installed", "pip install rolandic")
    detail = f"{platform.python_implementation()} {found} ({platform.platform(terse=True)})"
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        return failed(name, f"{detail}, but {wanted} is needed", f"install Python {wanted}")
    return ok(name, detail)


def packages(name: str) -> Check:
    """Check that every package is there, in a version that is not known to fail."""
    wanted = [Requirement(text) for text in requires(_DISTRIBUTION) or ()]
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    problems = [problem for r in needed if (problem := _problem(r))]
    if problems:
        mended = " ".join(f"'{r.name}{r.specifier}'" for r in needed if _problem(r))
        return failed(name, "; ".join(problems), f"pip install {mended}")
    return ok(name, f"{len(needed)} as required")


def _problem(wanted: Requirement) -> str:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing"
    if wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} {found}, but {wanted.specifier} is needed"
