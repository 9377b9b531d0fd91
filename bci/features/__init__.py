"""Features that a person can name: spectra, connectivity, contrast, selection, whole analyses."""

from typing import TYPE_CHECKING

from bci.lazy import names_of

if TYPE_CHECKING:
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

__getattr__ = names_of(
    __name__,
    {
        "CONNECTIVITY": "bci.features.settings",
        "SPATIAL_FILTERS": "bci.features.spatial",
        "Analysis": "bci.features.analysis",
        "AnalysisSettings": "bci.features.parameters",
        "Comparison": "bci.features.comparison",
        "ConnectivitySettings": "bci.features.settings",
        "Described": "bci.features.analysis",
        "Entry": "bci.features.library",
        "Erds": "bci.features.erds",
        "ErdsSettings": "bci.features.erds",
        "Feature": "bci.features.grammar",
        "FeatureMap": "bci.features.analysis",
        "Library": "bci.features.library",
        "Origin": "bci.features.analysis",
        "Scalp": "bci.features.scalp",
        "SelectionSettings": "bci.features.selection",
        "SpectrumSettings": "bci.features.settings",
        "analyse": "bci.features.analysis",
        "compare": "bci.features.comparison",
        "load_analysis": "bci.features.library",
        "parse_features": "bci.features.grammar",
        "write_page": "bci.features.page",
    },
)
