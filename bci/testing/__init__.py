"""The conformance suite: what Rolandic asks of a decoder or an arm that comes as a plugin.

In a plugin's own tests, run by pytest::

    from bci.testing import AdapterSuite, DecoderSuite

    class TestMyDecoder(DecoderSuite):
        name = "my-decoder"          # as registered under "bci.decoders"

    class TestMyArm(AdapterSuite):
        name = "my-arm"              # as registered under "bci.adapters"
        decoder = "my-decoder"       # whose models it learns

Without pytest, `check_decoder` and `check_adapter` run everything and raise `ConformanceError`,
which says what is not kept and how to mend it. Rolandic's own decoders and arms are held to the
same.
"""

from bci.testing.adapters import ADAPTER_CHECKS, check_adapter
from bci.testing.cases import AdapterCase, DecoderCase
from bci.testing.decoders import DECODER_CHECKS, check_decoder
from bci.testing.errors import ConformanceError
from bci.testing.made import made_model, made_trials
from bci.testing.suites import AdapterSuite, DecoderSuite

__all__ = [
    "ADAPTER_CHECKS",
    "DECODER_CHECKS",
    "AdapterCase",
    "AdapterSuite",
    "ConformanceError",
    "DecoderCase",
    "DecoderSuite",
    "check_adapter",
    "check_decoder",
    "made_model",
    "made_trials",
]
