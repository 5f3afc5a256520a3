"""Extensions of SpikeInterface's `SortingAnalyzer`. Importing this registers them: SpikeInterface finds none by itself.

>>> import nwb_neurid.analyzer
>>> analyzer.compute("neurid_embeddings")  # doctest: +SKIP
"""

from importlib.util import find_spec

from nwb_neurid.errors import InvalidOption

if find_spec("spikeinterface") is None:
    raise InvalidOption(
        'nwb_neurid.analyzer needs SpikeInterface. Install it: pip install "nwb-neurid[spikeinterface]"'
    )

from nwb_neurid.analyzer.embeddings import ComputeNeuridEmbeddings as ComputeNeuridEmbeddings
from nwb_neurid.analyzer.embeddings import compute_neurid_embeddings as compute_neurid_embeddings
from nwb_neurid.analyzer.loading import load_analyzer as load_analyzer
