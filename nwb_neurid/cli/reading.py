"""The options of every command that reads a recording."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from nwb_neurid.contracts import ReadOptions

KeepOpto: TypeAlias = Annotated[
    bool, typer.Option("--keep-opto", help="Keep optogenetic stimulation, the 300 s before it and all that follows.")
]
Part: TypeAlias = Annotated[
    str, typer.Option("--from", metavar="PATH", help="Which of several sources in a file: units, or a path in it.")
]
Where: TypeAlias = Annotated[
    str,
    typer.Option(
        "--where", metavar="CONDITION", help="Which units, by their columns: 'quality == \"good\"'; all for every unit."
    ),
]
TimeTable: TypeAlias = Annotated[
    str,
    typer.Option(
        "--intervals", metavar="TABLE[:CONDITION]", help="Only this time: rows of a table of intervals in the file."
    ),
]
Start: TypeAlias = Annotated[float | None, typer.Option("--start", help="Only from here on, in seconds.")]
Stop: TypeAlias = Annotated[float | None, typer.Option("--stop", help="Only up to here, in seconds.")]
Duration: TypeAlias = Annotated[
    float | None, typer.Option("--duration", help="Only the first so many seconds of observed time.")
]
AllRois: TypeAlias = Annotated[
    bool, typer.Option("--all-rois", help="Take every ROI, whatever the segmentation's classifier says.")
]
Activity: TypeAlias = Annotated[
    str, typer.Option("--activity", metavar="KIND", help="dff, fluorescence or deconvolved, where there are several.")
]
RateHz: TypeAlias = Annotated[
    float | None, typer.Option("--rate-hz", help="Sampling or frame rate, where the source does not tell it.")
]


def read_options(
    keep_opto: bool,
    part: str,
    where: str,
    intervals: str,
    start_s: float | None,
    stop_s: float | None,
    duration_s: float | None,
    all_rois: bool,
    activity: str,
    rate_hz: float | None,
) -> "ReadOptions":
    """What the user asked of the reader."""
    from nwb_neurid.contracts import ReadOptions

    return ReadOptions(
        keep_opto=keep_opto,
        part=part,
        where=where,
        intervals=intervals,
        start_s=start_s,
        stop_s=stop_s,
        duration_s=duration_s,
        all_rois=all_rois,
        activity=activity,
        rate_hz=rate_hz,
    )
