"""Options that several commands share. They are declared here once, and a command receives them as one value.

`with_reading` adds the options for reading to a command, which receives them as one `ReadOptions`. In the same way,
`with_writing` adds the options for writing (as a `WriteOptions`), and `with_terminal` adds the options for printing
(as a `Terminal`).
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
    complete_encoders,
    complete_formats,
    complete_heads,
    complete_kinds,
    complete_models,
    complete_presets,
)
from nwb_neurid.cli.terminal import terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.workflows.archive.options import ClusterOptions
from nwb_neurid.writers.options import WriteOptions

READ, MODEL, WRITE, LABELS, COMPUTE = "What to read", "Which model", "Where results go", "Labels", "Compute"
WORKERS = "Many recordings over workers"
"""Panels of --help."""

Command: TypeAlias = Callable[..., None]


def option(name: str, metavar: str, help: str, *, panel: str = "", short: str = "", **declared: Any) -> Any:
    """Declare an option with a value, in a panel of --help."""
    names = [name, short] if short else [name]
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel or None, **declared)


def flag(name: str, help: str, *, panel: str = "") -> Any:
    """An option that is there or not."""
    return typer.Option(name, metavar="", help=help, rich_help_panel=panel or None, show_default=False)


def argument(metavar: str, help: str, **declared: Any) -> Any:
    """What a command is about."""
    return typer.Argument(metavar=metavar, help=help, show_default=False, **declared)


def encoder_option(help: str) -> Any:
    """Which installed encoder."""
    return option("--encoder", "NAME", help, panel=MODEL, autocompletion=complete_encoders)


def output_option(metavar: str, help: str) -> Any:
    """Where results go."""
    return option("--output", metavar, help, short="-o", panel=WRITE)


OutputFolder: TypeAlias = Annotated[Path, output_option("FOLDER", "The folder to write.")]
Overwrite: TypeAlias = Annotated[bool, flag("--overwrite", "Replace existing output.", panel=WRITE)]
Resume: TypeAlias = Annotated[bool, flag("--resume", "Continue an interrupted training into this folder.", panel=WRITE)]
ResultsName: TypeAlias = Annotated[
    str | None, option("--name", "NAME", "Only the results of this name; by default, all results.")
]
Preset: TypeAlias = Annotated[
    str | None,
    option(
        "--preset",
        "NAME",
        "Preset of the encoder; by default, its first preset. The preset small can be trained on a laptop.",
        panel=MODEL,
        autocompletion=complete_presets,
    ),
]
Untrained: TypeAlias = Annotated[
    bool, flag("--untrained", "Use random weights if the encoder needs training.", panel=MODEL)
]
Windows: TypeAlias = Annotated[
    int | None,
    option("--windows", "N", "Pairs of windows per training step; by default, as in the preset.", panel=COMPUTE, min=1),
]
Device: TypeAlias = Annotated[
    str,
    option(
        "--device", "auto|cpu|cuda", "auto uses a GPU if there is one.", panel=COMPUTE, autocompletion=complete_devices
    ),
]
Seed: TypeAlias = Annotated[int, option("--seed", "N", "Random seed, for reproducible results.", panel=COMPUTE, min=0)]
Cache: TypeAlias = Annotated[
    Path | None,
    option(
        "--cache", "FOLDER", "Folder in which to keep binned recordings, so that each is read only once.", panel=READ
    ),
]
PoolGroups: TypeAlias = Annotated[
    bool, flag("--pool-groups", "Embed all probes or planes of a session together, not each separately.", panel=READ)
]
Label: TypeAlias = Annotated[
    str,
    option(
        "--label",
        "LABEL",
        "Label to predict: cell_type, brain_region, or the name of a text column of the units.",
        panel=LABELS,
    ),
]
Map: TypeAlias = Annotated[
    str | None,
    option(
        "--map",
        "TABLE",
        "Rename or merge classes: a csv table with the columns old and new, or beryl or cosmos "
        "for regions of the Allen CCF.",
        panel=LABELS,
    ),
]
Subjects: TypeAlias = Annotated[
    Path | None,
    option(
        "--subjects",
        "TABLE",
        "Subjects of recordings that do not state one: a csv table with the columns source and subject.",
        panel=LABELS,
    ),
]
Head: TypeAlias = Annotated[
    str,
    option(
        "--head", "linear|mlp", "Classifier that is fitted to the vectors.", panel=LABELS, autocompletion=complete_heads
    ),
]
Coverage: TypeAlias = Annotated[
    float,
    option("--coverage", "SHARE", "Share of units whose prediction set should contain the true label.", panel=LABELS),
]
Models: TypeAlias = Annotated[
    list[str] | None,
    option(
        "--model",
        "FOLDER",
        "A model folder, or the name of an included model; may be repeated.",
        panel=MODEL,
        autocompletion=complete_models,
    ),
]

READING: Mapping[str, OptionInfo] = {
    "part": option(
        "--from",
        "PATH",
        "Which source of activity to read if a file has several: units, or a path within the file.",
        panel=READ,
    ),
    "where": option(
        "--where",
        "CONDITION",
        "Read only units that meet this condition on their columns, such as 'quality == \"good\" and snr > 2'; all "
        "keeps every unit.",
        panel=READ,
    ),
    "intervals": option(
        "--intervals",
        "TABLE",
        "Read only the time within a table of intervals, such as 'trials', or within some of its "
        "rows, such as 'trials:correct == 1'.",
        panel=READ,
    ),
    "start_s": option("--start", "S", "Read only from this time on, in seconds of the session clock.", panel=READ),
    "stop_s": option("--stop", "S", "Read only up to this time, in seconds of the session clock.", panel=READ),
    "duration_s": option("--duration", "S", "Read only this many seconds from the start of observed time.", panel=READ),
    "exclude": option(
        "--exclude",
        "TIME",
        "Leave out this time, such as laser epochs: START:STOP in seconds, several separated by "
        "commas, or a csv or tsv file with the columns start_time and stop_time.",
        panel=READ,
    ),
    "activity": option(
        "--activity",
        "KIND",
        "Activity to read if a recording has several kinds: spikes, dff, fluorescence or deconvolved.",
        panel=READ,
        autocompletion=complete_kinds,
    ),
    "all_rois": flag("--all-rois", "Read every ROI, including those that the segmentation rejected.", panel=READ),
    "rate_hz": option(
        "--rate-hz", "HZ", "Sampling or frame rate in Hz, if the recording does not state it.", panel=READ
    ),
    "labels": option(
        "--labels",
        "TABLE",
        "Labels of units: a csv or tsv file with a column unit_id or row (counted from 0), one "
        "column for each label and, for several recordings, a column source.",
        panel=READ,
    ),
    "keep_opto": flag(
        "--keep-opto",
        "Keep the time of optogenetic stimulation, the 300 s before it and all time after it.",
        panel=READ,
    ),
}

WRITING: Mapping[str, OptionInfo] = {
    "output": option(
        "--output",
        "PATH",
        "Write the results to this file (with several recordings, into this folder) and leave the recording "
        "unchanged. With --workers, the folder for parquet files with all vectors.",
        short="-o",
        panel=WRITE,
    ),
    "format": option(
        "--format",
        "FORMAT",
        "nwb: tables in an NWB file. csv or parquet: one table in a separate file. phy: columns in the folder of phy.",
        panel=WRITE,
        autocompletion=complete_formats,
    ),
    "name": option("--name", "NAME", "Name of the results; neurid_ENCODER by default.", panel=WRITE),
    "sidecar": flag(
        "--sidecar", "Write the results to a small NWB file beside the recording, RECORDING.neurid.nwb.", panel=WRITE
    ),
    "units_columns": flag(
        "--units-columns",
        "Also write predictions, and the labels of --labels, as columns of the table of units.",
        panel=WRITE,
    ),
    "overwrite": flag("--overwrite", "Replace results of the same name, or an existing file.", panel=WRITE),
}

CLUSTER: Mapping[str, OptionInfo] = {
    "workers": option(
        "--workers", "N", "Number of processes on this machine or, with --slurm, number of jobs.", panel=WORKERS, min=1
    ),
    "scheduler": option(
        "--scheduler", "ADDRESS", "Use a Dask scheduler that already runs, such as tcp://node1:8786.", panel=WORKERS
    ),
    "slurm": flag("--slurm", "Submit the workers to SLURM.", panel=WORKERS),
    "slurm_options": option(
        "--slurm-option",
        "OPTION",
        "Option to pass on to sbatch, such as --slurm-option=--partition=gpu; may be repeated.",
        panel=WORKERS,
    ),
    "memory": option(
        "--memory",
        "SIZE",
        "Memory of each worker, such as 8GB; by default an equal share of this machine.",
        panel=WORKERS,
    ),
    "retries": option(
        "--retries",
        "N",
        "How often to try a recording again after a network error or the loss of a worker.",
        panel=WORKERS,
        min=0,
    ),
    "time_limit": option(
        "--time-limit",
        "TIME",
        "How long a recording may take, such as 2h or 90m. A recording that takes longer is reported as failed.",
        panel=WORKERS,
    ),
    "manifest": option(
        "--manifest",
        "FILE",
        "File that lists the recordings that are done; by default, neurid-manifest.sqlite in the current folder "
        "or, with --output, _manifest.sqlite in the output folder.",
        panel=WORKERS,
    ),
}


def split_words(text: str) -> list[str]:
    """Split words that are separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


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
    """Replace the parameter `into` of a command by these options. The command gets the value that `make` returns."""
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
    """Join the lines of each paragraph, so that --help wraps the text at the width of the terminal."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _declare(values: type, options: Mapping[str, OptionInfo]) -> list[Parameter]:
    """Declare a parameter for each option, with the type and the default of the field that the option sets."""
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
JSON = _parameter("as_json", flag("--json", "Print JSON instead of lines and tables."))

with_reading = partial(_gather, "reading", ReadOptions, _declare(ReadOptions, READING))
with_writing = partial(_gather, "writing", WriteOptions, _declare(WriteOptions, WRITING))
with_cluster = partial(_gather, "cluster", ClusterOptions, _declare(ClusterOptions, CLUSTER))
with_terminal = partial(_gather, "out", terminal, PRINTING)
with_json = partial(_gather, "out", terminal, [JSON, *PRINTING])
