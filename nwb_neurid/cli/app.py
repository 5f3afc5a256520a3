"""The commands, one function each."""

from typing import Annotated

import typer

from nwb_neurid import __version__
from nwb_neurid.cli import embed, evaluate, fit_labels, look, make, plugins, remove, train

app = typer.Typer(
    name="nwb-neurid",
    help="Tell from a neuron's activity what kind of neuron it is and where it sits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nwb-neurid {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before a command."""
    del version


app.command("embed")(embed.embed)
app.command("inspect")(look.inspect)
app.command("show")(look.show)
app.command("remove")(remove.remove)
app.add_typer(plugins.app, name="plugins")
app.command("simulate")(make.simulate)
app.command("demo")(make.demo)
app.command("train")(train.train)
app.command("fit-labels")(fit_labels.fit_labels)
app.command("import")(make.import_checkpoint)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(evaluate.compare)
