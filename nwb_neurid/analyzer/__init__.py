"""Extensions of SpikeInterface's `SortingAnalyzer`: one vector and a predicted label for each unit.

Importing this module registers the extensions. SpikeInterface does not find extensions of other packages by itself.

Examples
--------
>>> from spikeinterface import core
>>> import nwb_neurid.analyzer
>>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
>>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
>>> analyzer.compute("neurid_embeddings", encoder="isi", progress_bar=False).get_data().shape
(5, 53)
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nwb_neurid.errors import InvalidOption

if find_spec("spikeinterface") is None:
    raise InvalidOption("nwb_neurid.analyzer needs SpikeInterface. Install it: pip install spikeinterface tqdm zarr")

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
    """Import widgets when they are first used: they need matplotlib."""
    if name not in PLOTS:
        raise AttributeError(f"module 'nwb_neurid.analyzer' has no attribute {name!r}")
    return getattr(import_module("nwb_neurid.analyzer.widgets"), name)
