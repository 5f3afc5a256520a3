"""Options that several commands share are declared here once. A command receives them as one value.

`with_reading` adds the options for reading to a command, which receives them as one `ReadOptions`. In the same way,
`with_writing` adds the options for writing (as a `WriteOptions`), and `with_terminal` those for printing (as a
`Terminal`).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from functools import partial, wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer
from typer.models import OptionInfo

from nwb_neurid.cli.completion import (
    complete_devices,
    complete_formats,
    complete_heads,
    complete_kinds,
    complete_models,
)
from nwb_neurid.cli.terminal import terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.workflows.archive.options import ClusterOptions
from nwb_neurid.writers.options import WriteOptions

READ, MODEL, WRITE, LABELS, COMPUTE = "What to read", "Which model", "Where results go", "Labels", "Compute"
WORKERS = "Many recordings over workers"
"""Panels of --help."""

Command: TypeAlias = Callable[..., None]


def option(*names: str, panel: str = "", **declared: Any) -> Any:
    """An option with a value, in a panel of --help."""
    return typer.Option(*names, rich_help_panel=panel or None, **declared)


def flag(name: str, *, panel: str = "", help: str) -> Any:
    """An option that is there or not."""
    return typer.Option(name, rich_help_panel=panel or None, metavar="", show_default=False, help=help)


def argument(metavar: str, help: str, **declared: Any) -> Any:
    """What a command is about."""
    return typer.Argument(metavar=metavar, help=help, show_default=False, **declared)


Overwrite: TypeAlias = Annotated[bool, flag("--overwrite", panel=WRITE, help="Replace existing output.")]
Device: TypeAlias = Annotated[
    str,
    option(
        "--device",
        panel=COMPUTE,
        metavar="auto|cpu|cuda",
        autocompletion=complete_devices,
        help="auto uses a GPU if there is one.",
    ),
]
Seed: TypeAlias = Annotated[
    int, option("--seed", panel=COMPUTE, min=0, metavar="N", help="Random seed, for reproducible results.")
]
PoolGroups: TypeAlias = Annotated[
    bool,
    flag("--pool-groups", panel=READ, help="Embed all probes or planes of a session together, not each separately."),
]
Label: TypeAlias = Annotated[
    str,
    option(
        "--label",
        panel=LABELS,
        metavar="LABEL",
        show_default=False,
        help="Label to predict: cell_type, brain_region, or the name of a text column of the units.",
    ),
]
Map: TypeAlias = Annotated[
    str | None,
    option(
        "--map",
        panel=LABELS,
        metavar="TABLE",
        help="Rename or merge classes: a csv table with the columns old and new, or beryl or cosmos for regions of "
        "the Allen CCF.",
    ),
]
Subjects: TypeAlias = Annotated[
    Path | None,
    option(
        "--subjects",
        panel=LABELS,
        metavar="TABLE",
        help="Subjects of recordings that do not state one: a csv table with the columns source and subject.",
    ),
]
Head: TypeAlias = Annotated[
    str,
    option(
        "--head",
        panel=LABELS,
        metavar="linear|mlp",
        autocompletion=complete_heads,
        help="Classifier that is fitted to the vectors.",
    ),
]
Coverage: TypeAlias = Annotated[
    float,
    option(
        "--coverage",
        panel=LABELS,
        metavar="SHARE",
        help="Share of units whose prediction set should contain the true label.",
    ),
]
Models: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--model",
        panel=MODEL,
        metavar="FOLDER",
        autocompletion=complete_models,
        show_default=False,
        help="A model folder, or the name of a model that ships; may be repeated.",
    ),
]

READING: Mapping[str, OptionInfo] = {
    "part": option(
        "--from",
        panel=READ,
        metavar="PATH",
        show_default=False,
        help="Which of several sources in a file to read: units, or a path within the file.",
    ),
    "where": option(
        "--where",
        panel=READ,
        metavar="CONDITION",
        show_default=False,
        help="Which units to read, by their columns, such as 'quality == \"good\" and snr > 2'; all keeps every unit.",
    ),
    "intervals": option(
        "--intervals",
        panel=READ,
        metavar="TABLE",
        show_default=False,
        help="Read only the time within a table of intervals, such as 'trials', or within some of its rows, such as "
        "'trials:correct == 1'.",
    ),
    "start_s": option("--start", panel=READ, metavar="S", help="Read only from this time on, in seconds."),
    "stop_s": option("--stop", panel=READ, metavar="S", help="Read only up to this time, in seconds."),
    "duration_s": option("--duration", panel=READ, metavar="S", help="Read only the first N seconds of observed time."),
    "exclude": option(
        "--exclude",
        panel=READ,
        metavar="TIME",
        show_default=False,
        help="Leave out this time, such as laser epochs: START:STOP in seconds, several separated by commas, or a "
        "csv or tsv file with the columns start_time and stop_time.",
    ),
    "activity": option(
        "--activity",
        panel=READ,
        metavar="KIND",
        autocompletion=complete_kinds,
        show_default=False,
        help="Activity to read where a recording has several kinds: spikes, dff, fluorescence or deconvolved.",
    ),
    "all_rois": flag("--all-rois", panel=READ, help="Read every ROI, including those that the segmentation rejected."),
    "rate_hz": option(
        "--rate-hz",
        panel=READ,
        metavar="HZ",
        help="Sampling or frame rate in Hz, where the recording does not state it.",
    ),
    "labels": option(
        "--labels",
        panel=READ,
        metavar="TABLE",
        help="Labels of units: a csv or tsv file with a column unit_id or row (counted from 0), one column for each "
        "label and, for several recordings, a column source.",
    ),
    "keep_opto": flag(
        "--keep-opto", panel=READ, help="Keep optogenetic stimulation, the 300 s before it and everything after it."
    ),
}

WRITING: Mapping[str, OptionInfo] = {
    "output": option(
        "--output",
        "-o",
        panel=WRITE,
        metavar="PATH",
        help="Write results here and leave the recording unchanged: a file, or a folder for several recordings; with "
        "--workers, a folder of parquet files with all vectors.",
    ),
    "format": option(
        "--format",
        panel=WRITE,
        metavar="FORMAT",
        autocompletion=complete_formats,
        help="nwb: tables in an NWB file. csv, parquet: one table in a separate file. phy: columns in the folder of "
        "phy.",
    ),
    "name": option(
        "--name",
        panel=WRITE,
        metavar="NAME",
        show_default=False,
        help="Name of the results; neurid_ENCODER by default.",
    ),
    "sidecar": flag(
        "--sidecar",
        panel=WRITE,
        help="Write the results to a small NWB file beside the recording, RECORDING.neurid.nwb.",
    ),
    "units_columns": flag(
        "--units-columns",
        panel=WRITE,
        help="Also write predictions, and the labels of --labels, as columns of the table of units.",
    ),
    "overwrite": flag("--overwrite", panel=WRITE, help="Replace results of the same name, or an existing file."),
}

CLUSTER: Mapping[str, OptionInfo] = {
    "workers": option(
        "--workers",
        panel=WORKERS,
        min=1,
        metavar="N",
        help="Number of processes on this machine or, with --slurm, of jobs.",
    ),
    "scheduler": option(
        "--scheduler",
        panel=WORKERS,
        metavar="ADDRESS",
        show_default=False,
        help="Use a Dask scheduler that already runs, such as tcp://node1:8786.",
    ),
    "slurm": flag("--slurm", panel=WORKERS, help="Submit the workers to SLURM."),
    "slurm_options": option(
        "--slurm-option",
        panel=WORKERS,
        metavar="OPTION",
        show_default=False,
        help="Option to pass on to sbatch, such as --slurm-option=--partition=gpu; may be repeated.",
    ),
    "memory": option(
        "--memory",
        panel=WORKERS,
        metavar="SIZE",
        show_default=False,
        help="Memory of each worker, such as 8GB; by default an equal share of this machine.",
    ),
    "retries": option(
        "--retries",
        panel=WORKERS,
        min=0,
        metavar="N",
        help="How often to try a recording again after a network error or the loss of a worker.",
    ),
    "manifest": option(
        "--manifest",
        panel=WORKERS,
        metavar="FILE",
        show_default=False,
        help="File that records which recordings are done, neurid-manifest.sqlite by default. With --output, it is "
        "in that folder.",
    ),
}


def spell_reading(reading: ReadOptions) -> list[str]:
    """The options for reading, as arguments of a command line."""
    words: list[str] = []
    for name, info in READING.items():
        value = getattr(reading, name)
        if value is None or value is False or value == "":
            continue
        words.append(str(info.default))  # where typer keeps the first name that an option is declared with
        words += [] if value is True else [f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _gather(into: str, make: Callable[..., Any], options: Sequence[Parameter], command: Command) -> Command:
    """A command that takes these options in place of its parameter `into`, and gets what `make` makes of them."""
    own = inspect.signature(command).parameters
    kept = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own.values() if each.kind is Parameter.KEYWORD_ONLY]
    first = [each for each in own.values() if each.kind is not Parameter.KEYWORD_ONLY and each.name != into]
    at = [each.name for each in kept].index(into) if into in {each.name for each in kept} else len(kept)
    rest = [each for each in kept if each.name != into]
    signature = inspect.Signature([*first, *rest[:at], *options, *rest[at:]])

    @wraps(command)
    def run(*words: Any, **given: Any) -> None:
        bound = signature.bind(*words, **given)
        bound.apply_defaults()
        values = dict(bound.arguments)
        made = make(**{each.name: values.pop(each.name) for each in options})
        with made if hasattr(made, "__exit__") else nullcontext(made) as value:
            command(**values, **{into: value})

    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    run.__doc__ = _unwrap(inspect.getdoc(command) or "")
    return run


def _unwrap(text: str) -> str:
    """A text whose paragraphs are one line each, so that --help breaks them where the terminal ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _declare(values: type, options: Mapping[str, OptionInfo]) -> list[Parameter]:
    """A parameter for each option, with the type and the default of the field that it sets."""
    types, defaults = get_type_hints(values), {each.name: each.default for each in fields(values)}
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=Annotated[types[name], info])
        for name, info in options.items()
    ]


def _parameter(name: str, info: OptionInfo) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, info])


PRINTING = [
    _parameter("quiet", typer.Option("--quiet", "-q", metavar="", show_default=False, help="Print errors only.")),
    _parameter(
        "verbose", typer.Option("--verbose", "-v", metavar="", show_default=False, help="Print more, with tracebacks.")
    ),
]
JSON = _parameter("as_json", flag("--json", help="Print JSON instead of lines and tables."))

with_reading = partial(_gather, "reading", ReadOptions, _declare(ReadOptions, READING))
with_writing = partial(_gather, "writing", WriteOptions, _declare(WriteOptions, WRITING))
with_cluster = partial(_gather, "cluster", ClusterOptions, _declare(ClusterOptions, CLUSTER))
with_terminal = partial(_gather, "out", terminal, PRINTING)
with_json = partial(_gather, "out", terminal, [JSON, *PRINTING])
