"""Outputs for results, in the requested format: an NWB file, a flat table, or columns for phy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from nwb_neurid._system import limits
from nwb_neurid._system.atomic import check_target, convert_errors
from nwb_neurid.contracts import is_url
from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.writers import phy, table
from nwb_neurid.writers.nwb import standalone, store
from nwb_neurid.writers.nwb.destination import is_nwb, is_zarr, name_sidecar
from nwb_neurid.writers.nwb.entry import Results as Results
from nwb_neurid.writers.nwb.objects import MODEL, name_object
from nwb_neurid.writers.nwb.store import name_after as name_after
from nwb_neurid.writers.options import NWB as NWB
from nwb_neurid.writers.options import Output as Output
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.targets import check_format, check_outside

PHY = "phy"


def choose_output(
    source: str | Path,
    options: WriteOptions,
    *,
    seen: store.Fingerprint | None = None,
    labels: Sequence[str] = (),
) -> Output:
    """Choose the output for the results on a source.

    Parameters
    ----------
    source
        The recording.
    options
        Options for writing, with `name` set.
    seen
        Fingerprint of the file before the source was read; None for the present file.
    labels
        Names of labels of the user, which `units_columns` also writes as columns of the units.

    Raises
    ------
    NeuridError
        If it can already be known that the results cannot be written.
    """
    kind = options.format
    if kind not in FORMATS:
        raise InvalidOption(f"There is no format {kind!r} of results. Choose one of: {', '.join(FORMATS)}.")
    if kind != NWB and (options.sidecar or options.units_columns):
        raise InvalidOption(
            f"--sidecar and --units-columns apply to NWB files only: leave them out, or --format {kind}."
        )
    ending = "" if options.output is None else options.output.suffix.removeprefix(".")
    if ending in table.KINDS and ending != kind:
        raise InvalidOption(
            f"--output {options.output} ends in .{ending}, but the format is {kind}: add --format {ending}, or name "
            "another file."
        )
    with convert_errors(options.output or Path(str(source))):
        return FORMATS[kind](source, options, seen, labels if options.units_columns else ())


def take_fingerprint(source: str | Path) -> store.Fingerprint | None:
    """Take the fingerprint of an NWB file, to detect later changes. Return None for other sources."""
    return None if is_url(source) or not is_nwb(Path(source)) else store.Fingerprint.of(Path(source))


def _choose_nwb(
    source: str | Path, options: WriteOptions, seen: store.Fingerprint | None, labels: Sequence[str]
) -> Output:
    """Choose the NWB file that is the source, or for other sources a new NWB file with the units."""
    if is_url(source) or not is_nwb(Path(source)):
        target = _choose_target(source, options, name_output(source))
        return Output(write=partial(standalone.write_standalone, target=target, overwrite=options.overwrite))
    file = Path(source)
    with limits.reading(file):
        store.check_writable(file, options)
    fingerprint = seen or store.Fingerprint.of(file)

    def check(population: Population) -> None:
        if not population.tables:
            raise CannotWrite(
                f"{file} has no NWB table with its units as rows, so results in NWB cannot refer to them. "
                "Choose another --format."
            )
        with limits.reading(file):
            store.check_writable(file, options, table=population.tables)

    def write(population: Population, results: Sequence[Results]) -> Path:
        own = {name: population.labels[name] for name in labels if name in population.labels}
        with limits.reading(file):
            return store.write_results(
                file, results, options, table=population.tables, expected=fingerprint, labels=own
            )

    return Output(check=check, write=write)


def _choose_table(source: str | Path, options: WriteOptions, *_: object) -> Output:
    """Choose a separate file with a flat table."""
    kind = options.format
    if kind == table.PARQUET:
        table.check_parquet()
    own = name_output(source, kind=kind, name=options.name)
    if options.output is not None and options.output.is_dir():
        options = replace(options, output=options.output / own)
    target = _choose_target(source, options, own)

    def write(population: Population, results: Sequence[Results]) -> Path:
        embeddings = results[0].embeddings
        made = table.make_table(population, embeddings, [part for each in results for part in each.predictions])
        like = [] if is_url(source) else [Path(source)]
        table.write_table(made, embeddings.provenance, target, kind, overwrite=options.overwrite, like=like)
        return target

    return Output(write=write)


def _choose_phy(source: str | Path, options: WriteOptions, *_: object) -> Output:
    """Choose columns in the phy folder that is the source."""
    phy.check_folder(source)
    if options.output is not None:
        raise InvalidOption("--format phy writes into the folder of the source itself: leave out --output.")
    folder = Path(source)
    name_object(options.name, MODEL)
    check_target(
        *phy.name_files(folder, [phy.name_column(options.name)]),
        overwrite=options.overwrite,
        instead="choose another name (--name)",
    )

    def write(population: Population, results: Sequence[Results]) -> Path:
        main, *others = results
        columns = phy.make_columns(*main)
        beside = dict(pair for each in others for pair in phy.make_labels(each.name, each.predictions).items())
        return phy.write_columns(folder, population.unit_ids, columns, overwrite=options.overwrite, beside=beside)[0]

    return Output(check=phy.check_ids, write=write)


FORMATS: Mapping[str, Callable[[str | Path, WriteOptions, store.Fingerprint | None, Sequence[str]], Output]] = {
    NWB: _choose_nwb,
    **dict.fromkeys(table.KINDS, _choose_table),
    PHY: _choose_phy,
}


def name_output(source: str | Path, *, sidecar: bool = False, kind: str = NWB, name: str = "") -> str:
    """Return the name of a file with results on a source.

    Parameters
    ----------
    source
        The recording.
    sidecar
        Whether it is a sidecar of an NWB file.
    kind, name
        The format, and the name of the results. The name of a table contains both: `standalone.neurid_isi.csv`.

    Raises
    ------
    InvalidOption
        If the source is a URL that does not end in the name of an NWB file, or the name cannot be part of a file name.
    """
    path = Path(urlsplit(str(source)).path) if is_url(source) else Path(source)
    if is_url(source) and path.suffix != ".nwb":
        raise InvalidOption(f"{source} is not a file, so its results have no default file name: choose one (--output).")
    own = is_url(source) or is_nwb(path)
    if kind != NWB:
        name_object(name, MODEL)
        bare = Path(path.name.removesuffix(".zarr")).stem if own else path.resolve().name
        return f"{bare}.{name}.{kind}"
    if not own:
        return f"{path.resolve().name}.neurid.nwb"
    return name_sidecar(path).name if sidecar or is_url(source) or is_zarr(path) else path.name


def _choose_target(source: str | Path, options: WriteOptions, name: str) -> Path:
    """Return the requested file, or a file of this name beside the source.

    For a URL, it is in the working directory.
    """
    target = options.output or (Path() if is_url(source) else Path(source).parent) / name
    with convert_errors(target):
        if not is_url(source) and target.exists() and target.samefile(source):
            raise CannotWrite(f"{target} is the source itself, which would be lost. Choose another --output.")
        if not is_url(source):
            check_outside(Path(source), target)
        check_target(target, overwrite=options.overwrite)
        check_format(target, options.format)
    return target
