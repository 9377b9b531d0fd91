"""Decoders of windows: scikit-learn estimators, their registry, and the model file."""

from bci.decoders.acm import ACMDecoder
from bci.decoders.base import CovarianceDecoder, Decoder, View
from bci.decoders.block_toeplitz import BlockToeplitzDecoder
from bci.decoders.card import platform_card
from bci.decoders.chosen import ChosenDecoder
from bci.decoders.combined import CombinedDecoder
from bci.decoders.csp import CSPDecoder
from bci.decoders.features import FeatureDecoder
from bci.decoders.mdm import FgMDMDecoder, MDMDecoder
from bci.decoders.model import Model, load_model
from bci.decoders.patterns import activation_patterns
from bci.decoders.recalibration import RecalibratedDecoder
from bci.decoders.recentering import Recentering, RunningReference
from bci.decoders.registry import DecoderEntry, available_decoders, make_decoder
from bci.decoders.search import ACMSearchCV
from bci.decoders.tangent import TangentDecoder

__all__ = [
    "ACMDecoder",
    "ACMSearchCV",
    "BlockToeplitzDecoder",
    "CSPDecoder",
    "ChosenDecoder",
    "CombinedDecoder",
    "CovarianceDecoder",
    "Decoder",
    "DecoderEntry",
    "FeatureDecoder",
    "FgMDMDecoder",
    "MDMDecoder",
    "Model",
    "RecalibratedDecoder",
    "Recentering",
    "RunningReference",
    "TangentDecoder",
    "View",
    "activation_patterns",
    "available_decoders",
    "load_model",
    "make_decoder",
    "platform_card",
]
