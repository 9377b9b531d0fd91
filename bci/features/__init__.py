"""Features that a person can name: spectra, connectivity, contrast, selection, whole analyses."""

from bci.features.analysis import Analysis, Described, FeatureMap, Origin, analyse
from bci.features.comparison import Comparison, compare
from bci.features.erds import Erds, ErdsSettings
from bci.features.grammar import Feature, parse_features
from bci.features.library import Entry, Library, load_analysis
from bci.features.page import write_page
from bci.features.parameters import AnalysisSettings
from bci.features.scalp import Scalp
from bci.features.selection import SelectionSettings
from bci.features.settings import CONNECTIVITY, ConnectivitySettings, SpectrumSettings
from bci.features.spatial import SPATIAL_FILTERS

__all__ = [
    "CONNECTIVITY",
    "SPATIAL_FILTERS",
    "Analysis",
    "AnalysisSettings",
    "Comparison",
    "ConnectivitySettings",
    "Described",
    "Entry",
    "Erds",
    "ErdsSettings",
    "Feature",
    "FeatureMap",
    "Library",
    "Origin",
    "Scalp",
    "SelectionSettings",
    "SpectrumSettings",
    "analyse",
    "compare",
    "load_analysis",
    "parse_features",
    "write_page",
]
