"""Extensions of SpikeInterface's `SortingAnalyzer`. Importing this registers them: SpikeInterface finds none by itself.

>>> import nwb_neurid.analyzer
>>> analyzer.compute("neurid_embeddings")  # doctest: +SKIP
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nwb_neurid.errors import InvalidOption

if find_spec("spikeinterface") is None:
    raise InvalidOption(
        'nwb_neurid.analyzer needs SpikeInterface. Install it: pip install "nwb-neurid[spikeinterface]"'
    )

from nwb_neurid.analyzer.embeddings import ComputeNeuridEmbeddings as ComputeNeuridEmbeddings
from nwb_neurid.analyzer.embeddings import compute_neurid_embeddings as compute_neurid_embeddings
from nwb_neurid.analyzer.loading import load_analyzer as load_analyzer
from nwb_neurid.analyzer.nwb import write_neurid_results as write_neurid_results
from nwb_neurid.analyzer.predictions import ComputeNeuridPredictions as ComputeNeuridPredictions
from nwb_neurid.analyzer.predictions import compute_neurid_predictions as compute_neurid_predictions
from nwb_neurid.analyzer.properties import export_neurid_to_phy as export_neurid_to_phy
from nwb_neurid.analyzer.properties import neurid_curation as neurid_curation
from nwb_neurid.analyzer.properties import set_neurid_properties as set_neurid_properties

if TYPE_CHECKING:
    from nwb_neurid.analyzer.widgets import plot_neurid_embeddings as plot_neurid_embeddings
    from nwb_neurid.analyzer.widgets import plot_neurid_predictions as plot_neurid_predictions

PLOTS = ("plot_neurid_embeddings", "plot_neurid_predictions")


def __getattr__(name: str) -> object:
    """Widgets are imported when they are first used: they bring matplotlib."""
    if name not in PLOTS:
        raise AttributeError(f"module 'nwb_neurid.analyzer' has no attribute {name!r}")
    return getattr(import_module("nwb_neurid.analyzer.widgets"), name)
