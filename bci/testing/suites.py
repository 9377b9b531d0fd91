"""The checks as classes that pytest collects: one test a check."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bci.testing.adapters import ADAPTER_CHECKS
from bci.testing.cases import AdapterCase, DecoderCase
from bci.testing.decoders import DECODER_CHECKS

__all__ = ["AdapterSuite", "DecoderSuite"]


def _tests(checks: Mapping[str, Callable[[Any], None]]) -> Callable[[type], type]:
    """Give a class a test for each check."""

    def decorate(kind: type) -> type:
        for name, check in checks.items():
            setattr(kind, f"test_{name}", _test(name, check))
        return kind

    return decorate


def _test(name: str, check: Callable[[Any], None]) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        check(self.case())

    test.__name__, test.__doc__ = f"test_{name}", check.__doc__
    return test


@_tests(DECODER_CHECKS)
class DecoderSuite:
    """Subclass it as ``TestSomething`` in a test file, and name a registered decoder.

    Attributes
    ----------
    name : str
        As registered.
    params : dict
        Of the decoder, in place of its defaults.
    limits : dict
        ``learns``, ``decision_s``, ``fit_s`` of `DecoderCase`, where others than the defaults hold.
    """

    name: ClassVar[str] = ""
    params: ClassVar[dict[str, Any]] = {}
    limits: ClassVar[dict[str, float]] = {}

    def case(self) -> DecoderCase:
        """Return what is examined."""
        return DecoderCase.registered(self.name, self.params, **self.limits)


@_tests(ADAPTER_CHECKS)
class AdapterSuite:
    """Subclass it as ``TestSomething`` in a test file, and name a registered arm.

    Attributes
    ----------
    name : str
        As registered.
    decoder : str
        Registered name of the decoder whose models it learns.
    told : {"", "label", "reward", "nothing"}
        What it learns from: it is checked that nothing else gets in. Empty: not checked.
    params : dict
        Of that decoder, in place of its defaults.
    limits : dict
        ``decision_s``, ``reveal_s``, ``copy_s`` of `AdapterCase`.
    """

    name: ClassVar[str] = ""
    decoder: ClassVar[str] = "ts-lr"
    told: ClassVar[str] = ""
    params: ClassVar[dict[str, Any]] = {}
    limits: ClassVar[dict[str, float]] = {}

    def case(self) -> AdapterCase:
        """Return what is examined."""
        return AdapterCase.registered(
            self.name, self.decoder, told=self.told, params=self.params, **self.limits
        )
