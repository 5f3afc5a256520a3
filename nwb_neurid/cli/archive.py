"""Embed many recordings with workers, and report the results as text or as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.errors import InvalidOption, NeuridError
from nwb_neurid.workflows.archive.options import EARLIER, EMBEDDED, REFUSED, SAME, ClusterOptions
from nwb_neurid.writers.options import NWB, WriteOptions

if TYPE_CHECKING:
    from nwb_neurid.workflows.archive.run import Report
    from nwb_neurid.workflows.archive.task import Asked

PARQUET = "parquet"


def ask_of_each(writing: WriteOptions, report: bool, **asked: Any) -> "Asked":
    """Describe the task that is run for every recording; --output is the folder that collects all vectors.

    Raises
    ------
    InvalidOption
        If an option cannot be used with workers.
    """
    from nwb_neurid.workflows.archive.task import Asked

    if writing.output is None:
        return Asked(writing=writing, report=report, **asked)
    if writing.format not in (NWB, PARQUET) or writing.sidecar or writing.units_columns or writing.name:
        raise InvalidOption(
            "With workers, --output collects the vectors of all recordings in parquet files: leave out --format, "
            "--name, --sidecar and --units-columns, or leave out --output to write results beside each recording."
        )
    if report:
        raise InvalidOption(
            "With workers, --output collects the vectors of all recordings in one dataset, so "
            "--report cannot write a page for each. Leave out --report, and make one page for the dataset "
            "afterwards: nwb-neurid report FOLDER"
        )
    return Asked(dataset=writing.output, **asked)


def embed_over_workers(out: Terminal, sources: Sequence[str], asked: "Asked", cluster: ClusterOptions) -> None:
    """Embed recordings over workers, and print one line for each; failures are listed at the end, with code 1."""
    from nwb_neurid.workflows.archive.run import embed_archive

    names = list(dict.fromkeys(sources))
    found: Counter[str] = Counter()
    failed: list[Report] = []
    units = 0
    with _reporting_interrupt(out, found, len(names)), out.count("units") as add:
        reports = embed_archive(
            names,
            asked,
            cluster,
            announce=lambda address: out.say(f"Progress in a browser: {address}"),
            progress=out.progress,
        )
        try:
            for report in out.progress(reports, label="recordings", total=len(names)):
                found[report.what] += 1
                out.print_json(_describe(report), indent=None)
                if report.what == REFUSED:
                    failed.append(report)
                    continue
                if report.what in (EMBEDDED, EARLIER):
                    units += report.facts["embedded"]
                    add(report.facts["embedded"])
                out.say(_spell(report))
        finally:  # also where it stops: the manifest cannot be written any more, or the scheduler is gone
            _conclude(out, asked, found, failed, len(names), units)
    if failed:
        raise typer.Exit(1)


def _conclude(
    out: Terminal, asked: "Asked", found: Counter[str], failed: Sequence["Report"], count: int, units: int
) -> None:
    """Print the results, and the failures."""
    if found:
        out.say(_sum_up(found, count, units))
    if asked.dataset is not None and units:
        out.say(f"The vectors are in {asked.dataset}. To look at them: {spell('report', asked.dataset)}")
    for report in failed:
        named = report.source in report.reason
        out.fail(NeuridError(report.reason if named else f"{report.source}: {report.reason}"))


def _spell(report: "Report") -> str:
    if report.what == SAME:
        return f"{report.source}: the same recording as {report.reason}"
    facts = report.facts
    return f"{report.source}: {facts['embedded']} of {facts['units']} units {report.what}, in {report.path}"


def _describe(report: "Report") -> dict[str, Any]:
    if report.what == REFUSED:
        return {"source": report.source, "error": report.reason}
    same = {"same_as": report.reason} if report.what == SAME else {}
    return {"source": report.source, "path": report.path, "what": report.what, **same, **report.facts}


def _sum_up(found: Counter[str], count: int, units: int) -> str:
    parts = [f"{found[EMBEDDED] + found[EARLIER]} of {count} recordings embedded, {units:,} units"]
    if found[EARLIER]:
        parts.append(f"{found[EARLIER]} of them by earlier or parallel runs")
    if found[SAME]:
        parts.append(f"{found[SAME]} given twice")
    if found[REFUSED]:
        parts.append(f"{found[REFUSED]} failed")
    return "; ".join(parts)


@contextmanager
def _reporting_interrupt(out: Terminal, found: Counter[str], count: int) -> Iterator[None]:
    """Print the progress at Ctrl-C, and how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        done = sum(found.values()) - found[REFUSED]
        out.fail(
            NeuridError(f"Interrupted. {done} of {count} recordings are done; run the same command again to continue.")
        )
        raise
