"""`nwb-neurid report`: write the results in a file as an HTML page."""

from pathlib import Path
from typing import Annotated

from nwb_neurid.cli.options import Overwrite, ResultsName, argument, output_option, with_json, with_reading
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions


@with_json
@with_reading
def report(
    source: Annotated[
        Path,
        argument(
            "SOURCE", "A file with results, the recording (of any format) that they belong to, or a dataset of vectors."
        ),
    ],
    *,
    name: ResultsName = None,
    reading: ReadOptions,
    output: Annotated[
        Path | None,
        output_option("FILE", "The HTML file to write; SOURCE.report.html by default."),
    ] = None,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Write a report on results as an HTML page, with a map of the units, their activity and their predictions.

    $ nwb-neurid report recording.nwb

    The page is one HTML file that needs no network. Open it in a browser.
    """
    from nwb_neurid.workflows.report import write_report

    path = write_report(source, output, name=name, reading=reading, overwrite=overwrite)
    out.print_json({"source": str(source), "path": str(path), "bytes": path.stat().st_size})
    out.say(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Open it in a browser.")
