"""Options that commands share are declared once, and arrive as one value."""

import inspect
import re
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from nwb_neurid.cli import embed, evaluate, fit_labels, train
from nwb_neurid.cli import inspect as inspect_command
from nwb_neurid.cli.app import app
from nwb_neurid.cli.options import CLUSTER, READING, WORKERS, WRITING, with_reading, with_terminal, with_writing
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.writers.options import WriteOptions

COMMANDS = [
    *("inspect", "embed", "show", "remove", "train", "fit-labels", "evaluate", "compare", "import", "demo", "simulate"),
    *("plugins", "plugins list", "plugins check", "plugins new"),
]
READERS = [embed.embed, evaluate.evaluate, fit_labels.fit_labels, inspect_command.inspect, train.train]


def test_every_option_of_readers_and_writers_can_be_given():
    assert READING.keys() == {each.name for each in fields(ReadOptions)} - {"covariates"}  # the encoder decides
    assert WRITING.keys() == {each.name for each in fields(WriteOptions)}


@pytest.mark.parametrize("command", READERS)
def test_each_command_that_reads_takes_them_all_with_their_defaults(command):
    parameters = inspect.signature(command).parameters
    for option in fields(ReadOptions):
        if option.name != "covariates":
            assert parameters[option.name].default == option.default


def test_a_command_gets_values():
    given = []

    @with_terminal
    @with_reading
    @with_writing
    def command(source: str, *, reading: ReadOptions, writing: WriteOptions, out: Terminal) -> None:
        given.append((source, reading, writing, out))

    command("a.nwb", where="quality == 'good'", stop_s=2.0, sidecar=True, quiet=True)
    ((source, reading, writing, out),) = given
    assert source == "a.nwb"
    assert reading == ReadOptions(where="quality == 'good'", stop_s=2.0)
    assert writing == WriteOptions(sidecar=True)
    assert isinstance(out, Terminal)
    with pytest.raises(TypeError):
        command("a.nwb", unknown=1)


def show_help(command, width=80):
    done = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=width, env={"COLUMNS": str(width)})
    assert done.exit_code == 0
    return done.output


@pytest.mark.usefixtures("without_shape_checks")  # typer's context is none of typer's type for it
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_whole_at_80_columns_with_an_example_at_the_top(command):
    text = show_help(command)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    example = re.search(r"^ \$ nwb-neurid (.+)$", text, re.MULTILINE)
    assert example, text
    assert example[1].startswith(command)
    assert text.index("$ nwb-neurid") < text.index("Options")
    for flag in ("--quiet", "--help"):
        assert flag in text


@pytest.mark.parametrize(
    ("command", "panels"),
    [
        ("embed", ["What to read", "Which model", "Labels", "Where results go", "Compute", WORKERS]),
        ("train", ["What to read", "Which model", "Compute", "Where results go"]),
        ("fit-labels", ["Labels", "What to read", "Where results go", "Compute"]),
        ("evaluate", ["Labels", "What to score", "Which model", "What to read", "Where results go", "Compute"]),
        ("inspect", ["What to read"]),
    ],
)
def test_options_stand_in_panels(command, panels):
    assert re.findall(r"─ (\w[\w ]+) ─", show_help(command))[2:] == panels


def test_every_option_has_a_place_in_some_panel():
    declared = [*READING.values(), *WRITING.values(), *CLUSTER.values()]
    names = {name for option in declared for name in option.param_decls}
    text = show_help("embed")
    assert [name for name in names if name not in text] == []


def test_a_word_that_is_no_option_is_one_line(capsys, monkeypatch):
    from nwb_neurid.cli.app import run_app

    for words, line in (
        (["embed", "a.nwb", "--modle", "x"], "nwb-neurid: No such option: --modle"),
        (["embed"], "nwb-neurid: Missing argument 'SOURCE'"),
        (["imbed"], "nwb-neurid: No such command 'imbed'"),
        (["show", "a.nwb", "--rows", "many"], "nwb-neurid: Invalid value for '--rows'"),
    ):
        monkeypatch.setattr("sys.argv", ["nwb-neurid", *words])
        with pytest.raises(SystemExit) as end:
            run_app()
        assert end.value.code == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        (said,) = printed.err.splitlines()
        assert said.startswith(line)
        assert said.endswith("--help")


def test_no_words_print_the_help(capsys, monkeypatch):
    from nwb_neurid.cli.app import run_app

    monkeypatch.setattr("sys.argv", ["nwb-neurid"])
    with pytest.raises(SystemExit) as end:
        run_app()
    assert end.value.code in {0, 2}
    assert "nwb-neurid embed recording.nwb" in capsys.readouterr().out


def test_the_version_is_printed(capsys, monkeypatch):
    from nwb_neurid import __version__
    from nwb_neurid.cli.app import run_app

    monkeypatch.setattr("sys.argv", ["nwb-neurid", "--version"])
    with pytest.raises(SystemExit) as end:
        run_app()
    assert end.value.code == 0
    assert capsys.readouterr().out == f"nwb-neurid {__version__}\n"
