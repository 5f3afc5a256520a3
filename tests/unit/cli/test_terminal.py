"""What is printed: results to standard output, everything else to standard error, and nothing that moves the cursor."""

import json
import os
import sys
import warnings

import pytest
import typer

from nwb_neurid.cli.terminal import CLOSED, Terminal, describe_refusal, escape_controls, is_refusal, terminal
from nwb_neurid.errors import CannotEncode, NeuridError, NeuridWarning


def test_what_a_plugin_or_library_prints_goes_to_standard_error(capsys):
    with terminal() as out:
        out.say("a result")
        print("loading weights")
        out.say("another")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["a result", "another"]
    assert printed.err.splitlines() == ["loading weights"]


def test_standard_output_is_whole_again_afterwards(capsys):
    before = sys.stdout
    with terminal(quiet=True) as out:
        out.say("nothing")
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "")


def warn_of(*texts, verbose=False):
    with terminal(verbose=verbose):
        for text in texts:
            warnings.warn(text, NeuridWarning, stacklevel=1)


def test_warnings_that_differ_in_names_and_numbers_are_one_with_a_count(capsys):
    texts = [f"sub-{n}.nwb: spike_times were not in ascending order in {n} of 12 units" for n in range(28)]
    warn_of(*texts, "no positions")
    printed = capsys.readouterr().err.splitlines()
    assert printed == [
        f"warning: {texts[0]}",
        "warning: no positions",
        f"warning: 27 more warnings like: {texts[0]}",
    ]


def test_two_warnings_that_are_alike_are_both_printed(capsys):
    warn_of("a.nwb has no trials", "b.nwb has no trials")
    assert capsys.readouterr().err.splitlines() == ["warning: a.nwb has no trials", "warning: b.nwb has no trials"]


def test_verbose_prints_every_warning(capsys):
    warn_of(*(f"{n} units are silent" for n in range(3)), verbose=True)
    assert len(capsys.readouterr().err.splitlines()) == 3


HOSTILE = "\x1b[2J\x1b]0;title\x07a\nnwb-neurid: all is well\r\u202egnp.exe\u200f\x9b31m\u2028b"
ESCAPED = r"\x1b[2J\x1b]0;title\x07a\nnwb-neurid: all is well\r\u202egnp.exe\u200f\x9b31m\u2028b"


def test_text_of_others_moves_no_cursor_and_begins_no_line(capsys):
    out = Terminal()
    out.say(f"label {HOSTILE}")
    out.say_table(["unit", HOSTILE], [[1, HOSTILE]])
    out.warn(f"{HOSTILE} is no column")
    out.fail(NeuridError(f"{HOSTILE} does not exist."))
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert text.replace("\n", "").isprintable()
    assert printed.out.splitlines()[0] == f"label {ESCAPED}"
    assert [line.split(":")[0] for line in printed.err.splitlines()] == ["warning", "nwb-neurid"]


def test_tracebacks_of_verbose_move_no_cursor(capsys):
    with pytest.raises(typer.Exit), terminal(verbose=True):
        raise NeuridError(f"{HOSTILE} does not exist.")
    with pytest.raises(typer.Exit), terminal(verbose=True):
        raise RuntimeError(HOSTILE)
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.replace("\n", "").isprintable()


def test_lines_of_our_own_messages_stay_lines():
    error = CannotEncode("isi", "a.nwb", ["it takes spikes", "it needs 10 s"], {"default-calcium": "model"})
    lines = escape_controls(str(error)).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("  ") for line in lines[1:])


def test_letters_of_all_scripts_are_printed():
    assert escape_controls("Nervenzelle µm 神経細胞 é") == "Nervenzelle µm 神経細胞 é"


def test_json_is_all_that_is_printed_to_standard_output(capsys):
    with terminal(as_json=True) as out:
        out.say("a line")
        out.say_table(["a"], [["b"]])
        out.print_json({"units": 2, "label": HOSTILE})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"units": 2, "label": HOSTILE}
    assert printed.replace("\n", "").isprintable()
    with terminal() as out:
        out.print_json({"units": 2})
    assert capsys.readouterr().out == ""


def test_a_long_cell_is_folded_and_not_cut(capsys):
    with terminal() as out:
        out.say_table(["unit", "why"], [[1, "x" * 300]])
    assert capsys.readouterr().out.count("x") == 300


def end_of(error):
    """The code with which a command ends that raises this."""
    try:
        with terminal():
            raise error
    except typer.Exit as end:
        return end.exit_code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "out.nwb"), "nwb-neurid: out.nwb: No space left on device."),
        (PermissionError(13, "Permission denied", "out"), "nwb-neurid: out: Permission denied."),
        (OSError(36, "File name too long"), "nwb-neurid: File name too long."),
        (MemoryError(), "nwb-neurid: There is not enough memory for this."),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_ours(capsys, error, line):
    assert end_of(error) == 2
    assert capsys.readouterr().err.startswith(line)


@pytest.mark.parametrize("error", [OSError("h5py"), KeyError("neuron"), OSError(12345, "unknown")])
def test_anything_else_is(capsys, error):
    assert end_of(error) == 1
    assert "This is a bug in nwb-neurid" in capsys.readouterr().err
    assert not is_refusal(error)


def test_a_refusal_without_a_file_is_described_too():
    assert describe_refusal(OSError(28, "No space left on device")) == "No space left on device."


SCRIPT = """
import sys
from nwb_neurid.cli import _open_streams
_open_streams()
from nwb_neurid.cli.app import run_app
from nwb_neurid.cli.terminal import terminal
import typer
work = typer.Typer()
@work.command()
def run():
    with terminal() as out:
        for number in range(3):
            out.say(f"line {number} µ")
        print("done", file=sys.stderr)
import nwb_neurid.cli.app as app
app.app, sys.argv = work, ["nwb-neurid"]
run_app()
"""


def printed_by(redirection, **environment):
    """Exit code and standard error of a command whose standard output is redirected by a shell."""
    import subprocess

    command = f'"{sys.executable}" -c "$0" {redirection}'
    done = subprocess.run(
        ["bash", "-c", command, SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done


@pytest.mark.skipif(sys.platform != "linux", reason="it needs bash and /dev/full")
class TestStandardOutput:
    def test_that_is_full_is_one_line_and_the_work_is_done(self):
        done = printed_by("> /dev/full")
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            "nwb-neurid: Standard output cannot be written: No space left on device.",
            "done",
        ]

    def test_that_is_closed_is_one_line_and_the_work_is_done(self):
        done = printed_by(">&-")
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            "nwb-neurid: Standard output cannot be written: Bad file descriptor.",
            "done",
        ]

    @pytest.mark.parametrize("word", ["--version", "--help"])
    @pytest.mark.parametrize(
        ("redirection", "why"), [(">&-", "Bad file descriptor"), ("> /dev/full", "No space left on device")]
    )
    def test_that_cannot_be_written_is_one_line_for_every_word(self, word, redirection, why):
        import subprocess

        command = ["bash", "-c", f'"{sys.executable}" -m nwb_neurid {word} {redirection}']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == f"nwb-neurid: Standard output cannot be written: {why}.\n"

    def test_that_nobody_reads_ends_the_command_quietly(self):
        done = printed_by('| true; echo "${PIPESTATUS[0]}"')
        assert done.stdout in {f"{CLOSED}\n", "0\n"}  # 0 where all was written before `true` ended
        assert done.stderr in {"", "done\n"}

    def test_that_lacks_a_letter_prints_an_escape(self):
        done = printed_by("", PYTHONIOENCODING="ascii")
        assert done.stdout.splitlines()[0] == r"line 0 \xb5"
        assert done.returncode == 0

    def test_standard_error_may_be_closed_too(self):
        done = printed_by("2>&-")
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 3


def test_quiet_prints_errors_only(capsys):
    own = Terminal(quiet=True)
    own.say("a")
    own.warn("b")
    own.fail(NeuridError("c"))
    assert capsys.readouterr() == ("", "nwb-neurid: c\n")
