"""The process that answers for a command, whatever becomes of the command."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from nwb_neurid.cli import guard

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork there is no guard")

COMMAND = """
import itertools, os, signal, sys, time
from nwb_neurid._system import limits
from nwb_neurid.cli.guard import run_guarded

def command():
    {command}

limits.CALL_S, limits.WAIT_S = 0.3, 1.5
run_guarded(command)
"""
READS = "with limits.reading('sub-1.nwb'): "
WAITS = "print(os.getpid(), flush=True); time.sleep(60)"


def started(command):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(command=command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(command):
    with started(command) as process:
        said, complained = process.communicate(timeout=60)
    return process.returncode, said, complained


def test_a_command_ends_as_it_would_alone():
    assert ended("print('done')") == (0, "done\n", "")
    assert ended("print('no', file=sys.stderr); sys.exit(3)") == (3, "", "no\n")
    code, _, said = ended("1 / 0")
    assert code == 1
    assert said.splitlines()[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashes the library that reads it (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "crashes the library that reads it (SIGBUS)"),
        ("os.abort()", "crashes the library that reads it (SIGABRT)"),
        ("sum(itertools.repeat(0))", "exceeded its CPU-time limit inside the library that reads it"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "made the operating system kill the command, as it does when memory runs out",
        ),
    ],
)
def test_a_file_that_takes_the_command_down_is_named_in_one_line(fault, message):
    code, said, complained = ended(READS + fault)
    assert (code, said) == (2, "")
    assert complained == (
        f"nwb-neurid: sub-1.nwb {message}. It is probably damaged: check it (h5dump), or fetch it again.\n"
    )


def test_a_file_of_which_opening_never_returns_is_named_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.nwb")
    command = f"with limits.reading('sub-1.nwb'): open({str(tmp_path / 'pipe.nwb')!r}).read()"
    code, said, complained = ended(command)
    assert (code, said) == (2, "")
    assert complained == (
        "nwb-neurid: sub-1.nwb does not respond: reading it never ends. It may be a pipe, it may be damaged, "
        "or its disk may not respond.\n"
    )


def test_a_slow_disk_is_waited_for_as_long_as_our_own_code_has_its_turn():
    assert ended(READS + "[time.sleep(0.3) for _ in range(10)]; print('read')") == (0, "read\n", "")


def test_a_crash_while_nothing_is_read_is_no_fault_of_a_file():
    code, _, said = ended(READS + "pass\n    os.kill(os.getpid(), signal.SIGSEGV)")
    assert code == 1
    assert said == (
        "nwb-neurid: SIGSEGV ended the command. This is a bug in nwb-neurid or in a library. Please report it.\n"
    )


def test_the_items_after_the_one_that_took_the_command_down_have_their_turn():
    command = "from nwb_neurid.cli.guard import each\n"
    command += "    for item in each('abcd'):\n"
    command += "        with limits.reading(item):\n"
    command += "            if item in 'bd': os.kill(os.getpid(), signal.SIGSEGV)\n"
    command += "        print(item, flush=True)"
    code, said, complained = ended(command)
    assert (code, said) == (2, "a\nc\n")
    assert [line.split()[1] for line in complained.splitlines()] == ["b", "d"]
    code, said, complained = ended(command.replace("'bd'", "'b'") + "\n    sys.exit(0)")
    assert (code, said) == (2, "a\nc\nd\n")
    assert len(complained.splitlines()) == 1


def test_items_are_gone_through_without_a_guard_too():
    assert list(guard.each("abc")) == ["a", "b", "c"]


def is_gone(pid):
    """Whether a process has ended, within a while."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("command", [WAITS, READS + WAITS])
def test_a_command_ends_with_its_guard(command, number):
    with started(command) as process:
        pid = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(timeout=60) == -number
        assert is_gone(pid)
        assert process.stderr.read() == ""


def test_an_interrupt_is_passed_on():
    with started(f"try: {WAITS}\n    except KeyboardInterrupt: print('kept', flush=True)") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("kept\n", "")
        assert process.returncode == 0


def test_ctrl_c_in_a_terminal_comes_once():
    pytest.importorskip("pty", reason="no terminals here")
    command = "got = []; signal.signal(signal.SIGINT, lambda *_: got.append(1)); print('ready', flush=True)\n"
    command += "    for _ in range(20): time.sleep(0.05)\n    print('got', len(got), flush=True)"
    script = COMMAND.format(command=command)
    done = subprocess.run([sys.executable, "-c", TERMINAL, script], capture_output=True, text=True, check=True)
    assert re.search(r"got \d+", done.stdout).group() == "got 1"


TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
said = b""
while b"got " not in said or not said.endswith(b"\\n"):
    said += os.read(terminal, 1000)
    if said.rstrip().endswith(b"ready"):
        os.write(terminal, b"\\x03")
print(said.decode())
"""


def test_without_fork_the_command_runs_here(monkeypatch):
    monkeypatch.delattr(os, "fork")
    done = []
    guard.run_guarded(lambda: done.append(os.getpid()))
    assert done == [os.getpid()]
