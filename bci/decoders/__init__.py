"""Decoders of windows: scikit-learn estimators, their registry, and the model file."""

from bci.decoders.acm import ACMDecoder
from bci.decoders.base import CovarianceDecoder, Decoder, View
from bci.decoders.card import platform_card
from bci.decoders.csp import CSPDecoder
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.model import Model, load_model
from bci.decoders.patterns import activation_patterns
from bci.decoders.registry import DecoderEntry, available_decoders, make_decoder
from bci.decoders.tangent import TangentDecoder

__all__ = [
    "ACMDecoder",
    "CSPDecoder",
    "CovarianceDecoder",
    "Decoder",
    "DecoderEntry",
    "FgMDMDecoder",
    "MDMDecoder",
    "Model",
    "TangentDecoder",
    "View",
    "activation_patterns",
    "available_decoders",
    "load_model",
    "make_decoder",
    "platform_card",
]
