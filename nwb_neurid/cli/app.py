"""The commands, one function each."""

import sys
from typing import Annotated

import typer

from nwb_neurid import __version__
from nwb_neurid.cli import (
    datasets,
    embed,
    evaluate,
    fit_labels,
    import_model,
    inspect,
    plugins,
    remove,
    report,
    show,
    simulate,
    train,
)
from nwb_neurid.cli.pages import Command, Group
from nwb_neurid.cli.terminal import CLOSED, Terminal, describe_refusal, is_refusal, silence
from nwb_neurid.errors import InvalidOption, NeuridError

app = typer.Typer(
    name="nwb-neurid",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def run_app() -> None:
    """Run the command that is given on the command line, and print mistakes in the arguments as one line."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            _end_quietly()
        raise
    except BrokenPipeError:
        _end_quietly()
    except Exception as error:
        if hasattr(error, "format_message"):  # of typer: a word that it does not know
            code = _report_usage(error)
        elif is_refusal(error):
            silence(sys.__stdout__)
            Terminal().fail(NeuridError(f"Standard output cannot be written: {describe_refusal(error)}"))
            code = 2
        else:
            raise
    sys.exit(code)


def _report_usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help was printed already
        return 2
    path = getattr(context, "command_path", "nwb-neurid")
    Terminal().fail(InvalidOption(f"{error.format_message()} See: {path} --help"))  # type: ignore[attr-defined]
    return 2


def _end_quietly() -> None:
    silence(sys.__stdout__)
    sys.exit(CLOSED)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"nwb-neurid {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def describe(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Compute one vector for each neuron of a recording, and predict cell types and brain regions.

    $ nwb-neurid inspect recording.nwb

    $ nwb-neurid embed recording.nwb

    $ nwb-neurid show recording.nwb
    """
    del version


RECORDINGS, MODELS, MORE = "Recordings", "Models and labels", "Try it, extend it"

app.command("inspect", cls=Command, rich_help_panel=RECORDINGS)(inspect.inspect)
app.command("embed", cls=Command, rich_help_panel=RECORDINGS)(embed.embed)
app.command("show", cls=Command, rich_help_panel=RECORDINGS)(show.show)
app.command("report", cls=Command, rich_help_panel=RECORDINGS)(report.report)
app.command("remove", cls=Command, rich_help_panel=RECORDINGS)(remove.remove)
app.command("train", cls=Command, rich_help_panel=MODELS)(train.train)
app.command("fit-labels", cls=Command, rich_help_panel=MODELS)(fit_labels.fit_labels)
app.command("evaluate", cls=Command, rich_help_panel=MODELS)(evaluate.evaluate)
app.command("compare", cls=Command, rich_help_panel=MODELS)(evaluate.compare)
app.command("import", cls=Command, rich_help_panel=MODELS)(import_model.import_checkpoint)
app.command("reproduce", cls=Command, rich_help_panel=MODELS)(datasets.reproduce)
app.add_typer(datasets.app, name="data", rich_help_panel=MODELS)
app.command("demo", cls=Command, rich_help_panel=MORE)(simulate.demo)
app.command("simulate", cls=Command, rich_help_panel=MORE)(simulate.simulate)
app.add_typer(plugins.app, name="plugins", rich_help_panel=MORE)
