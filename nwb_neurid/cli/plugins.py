"""`nwb-neurid plugins`: list plugins, check one, or begin a new one."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwb_neurid.cli.completion import complete_encoders
from nwb_neurid.cli.options import argument, flag, option, output_option, with_terminal
from nwb_neurid.cli.pages import Command, Group
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts.attribution import attribute_errors
from nwb_neurid.errors import BrokenPlugin, InvalidOption, NeuridError

if TYPE_CHECKING:
    from nwb_neurid.contracts import EncoderPlugin, ReaderPlugin
    from nwb_neurid.registry import Registry
    from nwb_neurid.testing.verdicts import Verdict

app = typer.Typer(cls=Group, invoke_without_command=True)


class Kind(StrEnum):
    """The kind of a plugin."""

    encoder = "encoder"
    reader = "reader"


@app.callback()
@with_terminal
def plugins(context: typer.Context, *, out: Terminal) -> None:
    """List the installed encoders and readers and the included models; check a plugin; write a new plugin.

    $ nwb-neurid plugins
    """
    if context.invoked_subcommand is None:
        _list_all(out)


@app.command("list", cls=Command)
@with_terminal
def list_plugins(*, out: Terminal) -> None:
    """List installed encoders and readers, included models, and criteria. A broken plugin is reported as a warning.

    $ nwb-neurid plugins list
    """
    _list_all(out)


def _list_all(out: Terminal) -> None:
    from nwb_neurid import registry
    from nwb_neurid.labels.criteria import CRITERIA
    from nwb_neurid.model.bundled import list_bundled, list_labels, read_spec

    for found in (registry.encoders(), registry.readers()):
        out.say(f"{found.kind}s")
        _list_installed(out, found)
    out.say("included models")
    for name in list_bundled():
        spec = read_spec(name)
        labels = f", predicts {', '.join(list_labels(name))}" if list_labels(name) else ""
        out.say(f"  {name} ({spec.name}): takes {' or '.join(sorted(spec.accepts))}{labels}")
    out.say("criteria for cell types")
    for name, criterion in CRITERIA.items():
        out.say(f"  {name}: {', '.join(criterion.classes)}, for {criterion.scope} ({criterion.citation})")
    out.say(f"To see which of these can embed a recording: {spell('inspect', 'SOURCE')}")


def _list_installed(out: Terminal, found: "Registry[EncoderPlugin] | Registry[ReaderPlugin]") -> None:
    for name in found:
        try:
            spec = found.load(name).spec
        except NeuridError as error:
            out.warn(str(error))
            continue
        out.say(f"  {name} {spec.version} ({found.distribution(name)}): {spec.summary}")


@app.command(cls=Command)
@with_terminal
def check(
    name: Annotated[
        str, argument("NAME", "An installed encoder or reader, or NAME@DISTRIBUTION.", autocompletion=complete_encoders)
    ],
    *,
    preset: Annotated[
        str | None, option("--preset", "NAME", "Preset of the encoder; by default, its first preset.")
    ] = None,
    source: Annotated[
        Path | None,
        option("--source", "PATH", "A small recording to test a reader with. The reader is tested on a copy."),
    ] = None,
    out: Terminal,
) -> None:
    """Test every rule of the plugin contract on an installed plugin, and show what fails and how to fix it.

    $ nwb-neurid plugins check isi
    """
    from nwb_neurid import registry
    from nwb_neurid.testing.verdicts import make_encoder_kit, make_reader_kit, run_kit

    bare = name.partition("@")[0]
    encoders, readers = registry.encoders(), registry.readers()
    reads = bare in {known.partition("@")[0] for known in readers}
    found = readers if reads and bare not in {known.partition("@")[0] for known in encoders} else encoders
    kit: type
    if found is readers:
        if preset is not None:
            raise InvalidOption(f"{name!r} is a reader, which has no presets: leave out --preset.")
        kit = make_reader_kit(readers.load(name), source)
    else:
        if source is not None:
            raise InvalidOption(f"{name!r} is an encoder, and --source is for readers: leave out --source.")
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
                out.say(f"    How to fix it: {verdict.advice}")
        else:
            out.detail(f"  passed: {verdict.rule}")
    counts = Counter(verdict.outcome for verdict in results)
    out.say(f"{len(results)} rules: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if counts["failed"]:
        raise BrokenPlugin(f"{who} does not follow {counts['failed']} of the {len(results)} rules.")


@app.command(cls=Command)
@with_terminal
def new(
    kind: Annotated[Kind, argument("encoder|reader", "Kind of plugin.")],
    name: Annotated[str, argument("NAME", "Name of the plugin: lower-case letters, digits and hyphens.")],
    *,
    torch: Annotated[
        bool,
        flag(
            "--torch", "Write an encoder that is trained with PyTorch, instead of one in NumPy that needs no training."
        ),
    ] = False,
    output: Annotated[
        Path,
        output_option("FOLDER", "Folder in which to create the package; by default, the current folder."),
    ] = Path(),
    out: Terminal,
) -> None:
    """Write a working plugin to start from: a package with entry point, module, test and README.

    $ nwb-neurid plugins new encoder my-encoder
    """
    from nwb_neurid.scaffold import write_package

    if torch and kind is Kind.reader:
        raise InvalidOption("--torch applies to encoders only: leave it out for a reader.")
    folder = write_package("torch" if torch else kind.value, name, output)
    out.say(f"{folder}: a new Python package with the {kind.value} {name!r}")
    out.say(f'Install it: pip install -e "{folder}[test]"')
    out.say(f"Test it: pytest {folder}")
    out.say(f"See it: {spell('plugins')}")
