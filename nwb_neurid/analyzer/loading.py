"""Loading a saved analyzer with the results of this package."""

from pathlib import Path
from typing import Any

from spikeinterface.core import SortingAnalyzer, load_sorting_analyzer

from nwb_neurid._system.files import check_exists


def load_analyzer(folder: str | Path, **options: Any) -> SortingAnalyzer:
    """Load a saved analyzer with its extensions of nwb_neurid.

    `spikeinterface.load_sorting_analyzer` does the same after `import nwb_neurid.analyzer`. Without that import,
    SpikeInterface warns that the extensions are unknown, and leaves them out of copies of the analyzer. The extensions
    stay in the folder.

    Parameters
    ----------
    folder
        Folder of the analyzer, in the format "binary_folder" or "zarr". SpikeInterface opens the folder, and may run
        code to which the folder refers. Therefore, open only folders from people whom you trust.
    **options
        The same as in `spikeinterface.load_sorting_analyzer`. With `read_only=True`, computing extensions does not
        change the folder.

    Returns
    -------
    SortingAnalyzer
        The analyzer with its extensions.

    Raises
    ------
    SourceNotFound
        If the folder does not exist.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from spikeinterface import core
    >>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
    >>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    >>> folder = Path(mkdtemp()) / "analyzer"
    >>> saved = analyzer.save_as(folder=folder, format="binary_folder")
    >>> vectors = saved.compute("neurid_embeddings", encoder="isi", progress_bar=False).get_data()
    >>> load_analyzer(folder).has_extension("neurid_embeddings")
    True
    """
    if "://" not in str(folder):
        check_exists(Path(folder))
    return load_sorting_analyzer(folder, **options)
