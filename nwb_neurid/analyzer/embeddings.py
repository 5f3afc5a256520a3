"""`neurid_embeddings`: one vector per unit of an analyzer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid.analyzer.extension import WITHOUT_MODEL, NeuridExtension, read_population, register
from nwb_neurid.analyzer.rows import spread_results
from nwb_neurid.analyzer.serialization import pack_embeddings, unpack_embeddings
from nwb_neurid.contracts import Progress
from nwb_neurid.errors import InvalidOption
from nwb_neurid.model.candidates import check_fits
from nwb_neurid.model.model import Model
from nwb_neurid.results import Embeddings

if TYPE_CHECKING:
    import pandas as pd


@final
class ComputeNeuridEmbeddings(NeuridExtension):
    """One vector per unit, computed from its spike times. Units with similar firing have similar vectors.

    The extension needs neither a recording nor another extension. If there are unit locations, they are passed on to
    encoders that use them.

    Parameters
    ----------
    model
        A `nwb_neurid.Model`, the folder of a model, or the name of an included model. If neither `model` nor `encoder`
        is given, the default model of `nwb-neurid embed` is used, which is "company-spikes".
    encoder, preset, untrained, seed
        An encoder without trained weights, instead of a model. The parameters are the same as in
        `nwb_neurid.new_model`.
    device
        "auto", "cpu" or "cuda".
    pool_groups
        Embed all units together. By default, each group of units (probe, shank) is embedded separately. The property
        "group" states the group of a unit.
    weights_sha256
        Hash of the weights. A model with another hash is refused. The hash is stored with the results.

    Raises
    ------
    NeuridError
        If the units cannot be embedded or the results cannot be saved. Earlier results are then unchanged.

    Examples
    --------
    >>> from spikeinterface import core
    >>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
    >>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    >>> extension = analyzer.compute("neurid_embeddings", encoder="isi", progress_bar=False)
    >>> extension.get_data().shape, extension.embeddings().provenance.encoder
    ((5, 53), 'isi')
    """

    extension_name = "neurid_embeddings"

    def _set_params(
        self,
        model: Model | str | Path = "",
        encoder: str = "",
        preset: str | None = None,
        untrained: bool = False,
        seed: int = 0,
        device: str = "auto",
        pool_groups: bool = False,
        weights_sha256: str | None = None,
    ) -> dict[str, Any]:
        return self._add_model(**{name: value for name, value in locals().items() if name != "self"})

    def _compute(self, analyzer: SortingAnalyzer, progress: Progress) -> dict[str, np.ndarray]:
        model = self._load_model()
        population = read_population(analyzer, model)
        check_fits(population, model)
        return pack_embeddings(model.embed(population, pool_groups=self.params["pool_groups"], progress=progress))

    def _keep_rows(self, unit_ids: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        return pack_embeddings(spread_results(self.embeddings(), rows, unit_ids, WITHOUT_MODEL))

    @property
    def is_whole(self) -> bool:
        """False if units were merged or split after they were embedded, and could not be embedded again."""
        return WITHOUT_MODEL not in self.data["reasons"]

    def embeddings(self) -> Embeddings:
        """Return the embeddings, with reasons and provenance.

        Returns
        -------
        Embeddings
            One row per unit of the analyzer.
        """
        return unpack_embeddings(self.data, np.asarray(self.sorting_analyzer.unit_ids))

    def _get_data(self, outputs: str = "numpy") -> "np.ndarray | pd.DataFrame":
        if outputs == "numpy":
            return self.embeddings().vectors
        if outputs == "dataframe":
            return self.embeddings().to_dataframe().set_index("unit_id")
        raise InvalidOption(f'outputs must be "numpy" or "dataframe", got {outputs!r}.')


register(ComputeNeuridEmbeddings)
compute_neurid_embeddings = ComputeNeuridEmbeddings.function_factory()
