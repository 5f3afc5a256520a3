"""`nwb-neurid plugins`: list them, check one, begin a new one."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal
from nwb_neurid.contracts.attribution import attribute_errors
from nwb_neurid.errors import BrokenPlugin, InvalidOption, NeuridError

if TYPE_CHECKING:
    from nwb_neurid.testing.verdicts import Verdict

app = typer.Typer(invoke_without_command=True, help="List installed encoders and readers, check one, begin a new one.")


class Kind(StrEnum):
    """What a plugin is."""

    encoder = "encoder"
    reader = "reader"


@app.callback()
def plugins(context: typer.Context, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """List installed encoders and readers, check one, begin a new one. Alone, it lists."""
    if context.invoked_subcommand is None:
        list_plugins(quiet, verbose)


@app.command("list")
def list_plugins(quiet: Quiet = False, verbose: Verbose = False) -> None:
    """List installed encoders and readers; one that is broken is named, with its distribution."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid import registry

        for found in (registry.encoders(), registry.readers()):
            out.say(f"{found.kind}s")
            for name in found:
                try:
                    spec = found.load(name).spec
                except NeuridError as error:
                    out.warn(str(error))
                    continue
                out.say(f"  {name} {spec.version} ({found.distribution(name)}): {spec.summary}")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="An installed encoder or reader, or NAME@DISTRIBUTION.")],
    preset: Annotated[str | None, typer.Option(help="A preset of the encoder; its first by default.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="A small recording that the reader reads; a copy of it is used.")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Try on an installed plugin every rule that plugins owe, and tell what fails and how to mend it."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid import registry
        from nwb_neurid.testing.verdicts import make_encoder_kit, make_reader_kit, run_kit

        bare = name.partition("@")[0]
        encoders, readers = registry.encoders(), registry.readers()
        reads = bare in {known.partition("@")[0] for known in readers}
        found = readers if reads and bare not in {known.partition("@")[0] for known in encoders} else encoders
        kit: type
        if found is readers:
            if preset is not None:
                raise InvalidOption(f"{name!r} is a reader, which has no presets.")
            kit = make_reader_kit(readers.load(name), source)
        else:
            if source is not None:
                raise InvalidOption(f"{name!r} is no reader: leave out --source.")
            kit = make_encoder_kit(encoders.load(name), preset)
        who = f"{found.kind} {name!r} ({found.distribution(name)})"
        out.say(who)
        with attribute_errors(lambda: who):
            results = list(run_kit(kit, progress=out.progress))
        _report(out, who, results)


def _report(out: Terminal, who: str, results: "list[Verdict]") -> None:
    for verdict in results:
        if verdict.outcome != "passed":
            out.say(f"  {verdict.outcome}: {verdict.rule}")
            out.say(f"    {verdict.message}")
            if verdict.advice:
                out.say(f"    How to mend it: {verdict.advice}")
        else:
            out.detail(f"  passed: {verdict.rule}")
    counts = Counter(verdict.outcome for verdict in results)
    out.say(f"{len(results)} rules: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if counts["failed"]:
        raise BrokenPlugin(f"{who} breaks {counts['failed']} of {len(results)} rules.")


@app.command()
def new(
    kind: Annotated[Kind, typer.Argument(help="What to begin.", show_default=False)],
    name: Annotated[str, typer.Argument(help="What it is called: small letters, digits and hyphens.")],
    torch: Annotated[
        bool, typer.Option("--torch", help="An encoder that learns, on torch; otherwise on NumPy.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where its folder goes.", show_default="here")
    ] = Path(),
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a plugin that works: a package with its entry point, module, test and README, ready to be changed."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.scaffold import write_package

        if torch and kind is Kind.reader:
            raise InvalidOption("--torch is for encoders: a reader is written without it.")
        folder = write_package("torch" if torch else kind.value, name, output)
        out.say(f"{folder}: {kind.value} {name!r}, a package of its own")
        out.say(f'Install it: pip install -e "{folder}[test]"')
        out.say(f"Test it: pytest {folder}")
        out.say("See it: nwb-neurid plugins")
