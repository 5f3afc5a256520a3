"""Progress bars and results share a screen, and neither overwrites the other."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("pty", reason="no terminals here")

IN_TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="40")
    os.environ.pop("NO_COLOR", None)
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
printed = b""
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    printed += part
os.waitpid(pid, 0)
sys.stdout.buffer.write(printed)
"""
WORK = """
import time
from nwb_neurid.cli.terminal import terminal
with terminal() as out:
    for number in out.progress(range({items}), label="recordings", total={items}):
        for _ in out.progress(range(3), label="windows", total=3):
            time.sleep(0.06)
        out.say(f"{{number}}.nwb: 12 of 12 units embedded")
        out.warn(f"warned of {{'abc'[number]}}")
    out.say("done")
"""


def run_in_terminal(code):
    done = subprocess.run([sys.executable, "-c", IN_TERMINAL, code], capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


def draw_screen(printed):
    """What a terminal of 80 columns shows, line by line, at the end."""
    lines, row, column = [[]], 0, 0
    for arguments, command, char in re.findall(r"\x1b\[([?\d;]*)([A-Za-z])|([^\x1b])", printed):
        if char == "\n":
            row += 1
            lines += [[]] * (row >= len(lines))
            lines[row] = list(lines[row])
        elif char == "\r":
            column = 0
        elif char:
            line = lines[row]
            line += " " * (column + 1 - len(line))
            line[column] = char
            column += 1
        elif command == "A":
            row -= int(arguments or 1)
        elif command == "K":
            lines[row] = [] if arguments == "2" else lines[row][:column]
    return [line for line in ("".join(line).rstrip() for line in lines) if line]


@pytest.mark.parametrize("items", [1, 2, 3])
def test_lines_stay_and_bars_go(items):
    printed = run_in_terminal(WORK.format(items=items))
    expected = []
    for number in range(items):
        expected += [f"{number}.nwb: 12 of 12 units embedded", f"warning: warned of {'abc'[number]}"]
    assert draw_screen(printed) == [*expected, "done"]
    for done in range(items + 1):
        assert f"{done}/{items}" in printed


def test_a_bar_fits_into_80_columns():
    printed = run_in_terminal(WORK.format(items=2))
    for frame in re.split(r"[\r\n]", re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", printed)):
        assert len(frame) <= 80


def test_there_are_none_in_a_log():
    done = subprocess.run([sys.executable, "-c", WORK.format(items=2)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*(f"{number}.nwb: 12 of 12 units embedded" for number in range(2)), "done"]
    assert done.stderr.splitlines() == ["warning: warned of a", "warning: warned of b"]


def test_no_colour_is_obeyed():
    code = "import os; os.environ['NO_COLOR'] = '1'\n" + WORK.format(items=1)
    printed = run_in_terminal(code)
    colours = re.findall(r"\x1b\[[\d;]*m", printed)
    assert not [colour for colour in colours if re.search(r"3\d|4\d|38", colour)]


def test_a_label_of_a_bar_moves_no_cursor_and_is_no_markup():
    """A file may be called `[/b]`, which rich would take for the end of something."""
    code = WORK.format(items=1).replace('"recordings"', r'"[/b]\x1b[41m\u202e"')
    printed = run_in_terminal(code)
    assert "[/b]" in printed
    assert "\x1b[41m" not in printed
    assert "\u202e" not in printed
    assert "done" in printed


def test_colours_that_are_asked_for_bring_no_bars_into_a_pipe(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(items=1)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "done" in done.stdout
    assert "windows" not in done.stdout + done.stderr
