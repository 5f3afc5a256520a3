"""Ctrl-C: at whatever moment it comes, no traceback, and the exit code that shells have for it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from nwb_neurid import cli

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows ends a process of its own accord")

INTERRUPTS_AT = """
import os, signal, sys

class Interrupts:
    @staticmethod
    def find_spec(name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts)
sys.argv = ["nwb-neurid", "embed", "missing.nwb"]
from nwb_neurid.cli import main
main()
"""


@pytest.mark.parametrize(
    "name", ["nwb_neurid.cli.guard", "nwb_neurid.cli.app", "rich.progress", "nwb_neurid.workflows.embed"]
)
def test_an_interrupt_while_modules_are_imported_is_no_traceback(name):
    done = subprocess.run([sys.executable, "-c", INTERRUPTS_AT.format(name=name)], capture_output=True, check=False)
    assert done.returncode in {-signal.SIGINT, 130}  # either is 130 to a shell
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("after_s", [0.02, 0.1, 0.15, 0.2, 0.3])
def test_nor_is_one_at_any_other_early_moment(after_s):
    script = "import sys; sys.argv = ['nwb-neurid', '--help']; from nwb_neurid.cli import main; print(); main()"
    command = [sys.executable, "-u", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()  # Python itself has started
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGINT)
        _, complained = process.communicate(timeout=60)
    assert complained == b""
    assert process.returncode in {0, -signal.SIGINT, 130}


def test_an_ignored_interrupt_stays_ignored():
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + INTERRUPTS_AT.format(name="typer")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"missing.nwb does not exist" in done.stderr


def test_an_interrupt_that_python_drops_comes_again():
    script = "import sys, time; from nwb_neurid import cli; sys.unraisablehook = cli._repeat_interrupt\n"
    script += "class Dropped:\n    def __del__(self): raise {error}\n"
    script += "try:\n    Dropped()\n    time.sleep(0.2)\nexcept KeyboardInterrupt: print('raised')"
    for error, said, complained in (("KeyboardInterrupt", "raised\n", False), ("ValueError", "", True)):
        done = subprocess.run(
            [sys.executable, "-c", script.format(error=error)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert (done.stdout, "ValueError" in done.stderr) == (said, complained)


def test_a_command_that_is_interrupted_ends_with_130(monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nwb_neurid.cli.app.app", interrupted)
    before = signal.getsignal(signal.SIGINT)
    hook = sys.unraisablehook
    try:
        with pytest.raises(SystemExit) as caught:
            cli._run_command()
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook
    assert caught.value.code == 130
