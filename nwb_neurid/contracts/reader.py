"""The interface of a reader, and the options for reading."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from nwb_neurid.contracts.spec import list_faults, list_set_faults
from nwb_neurid.errors import BrokenPlugin
from nwb_neurid.population import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Options for reading a recording.

    The spec of a reader lists the options that the reader supports. Other options are refused. The options `start_s`,
    `stop_s`, `duration_s`, `exclude` and `labels` are handled outside the reader, so they work for all readers.

    Parameters
    ----------
    keep_opto
        Keep the time during and after optogenetic stimulation. By default, this time is left out.
    part
        The recording to read if the source contains several: its name, or its path in the source.
    where
        Which units to use, as a condition on the columns of the units. The other units keep their rows, but are
        excluded.
    intervals
        Which time to use, as the name of a table of intervals. The name can be followed by a colon and a condition on
        the columns of the table.
    all_rois
        Read all ROIs, including ROIs that the classifier of the segmentation rejects.
    activity
        The kind of activity to read if the source has several: "spikes", "dff", "fluorescence" or "deconvolved".
    rate_hz
        Sampling rate or frame rate in Hz, if the source does not state it.
    covariates
        Whether to read behaviour and stimulus. With None, they are read if the reader supports this.
    start_s, stop_s
        Use only the time from `start_s` to `stop_s`, in seconds of the session clock.
    duration_s
        Use only the first `duration_s` seconds of observed time. A shorter recording is used as a whole.
    labels
        A csv or tsv file with labels of units. A column `unit_id` or `row` (counted from 0) identifies the unit, and
        every other column is a label. If there is a column `source`, only rows with the path or the file name of the
        recording in this column are used.
    exclude
        Time to leave out, such as laser epochs: `START:STOP` in seconds (separate several ranges by commas), or a csv
        or tsv file with the columns `start_time` and `stop_time`.

    Examples
    --------
    >>> ReadOptions(where="quality == 'good'", stop_s=600.0).keep_opto
    False
    """

    keep_opto: bool = False
    part: str = ""
    where: str = ""
    intervals: str = ""
    all_rois: bool = False
    activity: str = ""
    rate_hz: float | None = None
    covariates: bool | None = None
    start_s: float | None = None
    stop_s: float | None = None
    duration_s: float | None = None
    labels: Path | None = None
    exclude: str = ""


def is_url(source: object) -> bool:
    """Check whether a source is a URL. Only a reader that supports the scheme of the URL can read the source.

    Parameters
    ----------
    source
        Any object.

    Returns
    -------
    bool
        Whether the source is text that begins with a scheme, such as "https://".

    Examples
    --------
    >>> is_url("https://example.org/recording.nwb"), is_url("recording.nwb"), is_url(None)
    (True, False, False)
    """
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec:
    """Description of a reader.

    Parameters
    ----------
    name, version, summary
        Name and version of the reader, and a one-line summary for `nwb-neurid plugins`.
    contract
        The value of `CONTRACT` for which the reader was written.
    options
        The fields of `ReadOptions` that the reader supports.

    Raises
    ------
    BrokenPlugin
        If the spec cannot be used. The message lists all faults.

    Examples
    --------
    >>> ReaderSpec(name="table", version="1", summary="Tables of spikes", contract=1, options=frozenset({"where"})).name
    'table'
    """

    name: str
    version: str
    summary: str
    contract: int
    options: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        known = {option.name for option in fields(ReadOptions)} - {"start_s", "stop_s", "duration_s", "exclude"}
        if faults := [*list_faults(self), *list_set_faults("options", self.options, known, least=0)]:
            raise BrokenPlugin("\n  - ".join([f"The spec of reader {self.name!r} cannot be used:", *faults]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPlugin:
    """A plugin that provides a reader.

    Parameters
    ----------
    spec
        Description of the reader.
    recognises
        Function that returns whether a source (a path, a URL, or an object) has the format of the reader. It must be
        fast: it may look at the name or the first bytes, but must not download anything. It must not raise an error.
    read
        Function that reads a source and returns a `Population`. If it cannot read the source, it raises one of the
        errors in `nwb_neurid.errors`.

    Examples
    --------
    >>> from nwb_neurid.readers.nwb import PLUGIN
    >>> PLUGIN.spec.name, PLUGIN.recognises("notes.txt")
    ('nwb', False)
    """

    spec: ReaderSpec
    recognises: Callable[[object], bool]
    read: Callable[[object, ReadOptions], Population]
