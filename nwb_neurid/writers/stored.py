"""Find the results on a source: in the file itself, or in the sidecar beside it."""

from contextlib import suppress
from pathlib import Path

from nwb_neurid._system import limits
from nwb_neurid._system.files import check_exists
from nwb_neurid._system.names import PREFIX
from nwb_neurid.errors import NoResults
from nwb_neurid.writers.nwb import store
from nwb_neurid.writers.nwb.destination import is_nwb, name_sidecar
from nwb_neurid.writers.nwb.store import Results
from nwb_neurid.writers.outputs import name_output


def find_results(source: Path, name: str | None = None) -> tuple[Path, list[Results]]:
    """Find the results in a file, or otherwise in the sidecar of a recording.

    Parameters
    ----------
    source
        A file with results, or a recording of any format.
    name
        Name of the results; None for all results.

    Returns
    -------
    path
        The file with the results.
    results
        The results, in the order of their names.

    Raises
    ------
    SourceNotFound
        If the source does not exist.
    NoResults
        If there are no results, or no results with that name.
    UnreadableSource
        If the results cannot be read.
    """
    check_exists(source)
    own = is_nwb(source)
    sidecar = name_sidecar(source) if own else source.parent / name_output(source)
    if not own and not sidecar.exists() and source.is_dir() and any(source.glob(f"cluster_{PREFIX}*.tsv")):
        raise NoResults(
            f"{source} has results as columns of phy only, without the vectors. Look at them in phy, or embed it "
            f"again: nwb-neurid embed {source} --report"
        )
    if not own and not sidecar.exists():
        raise NoResults(
            f"{source} has no results beside it: {sidecar} does not exist. Embed it: nwb-neurid embed {source}"
        )
    if own and sidecar.exists():
        with suppress(NoResults), limits.reading(source):
            return source, store.read(source, name)
    path = sidecar if sidecar.exists() else source
    with limits.reading(path):
        return path, store.read(path, name)
