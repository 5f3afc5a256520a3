"""Output of all commands: lines, tables, JSON, warnings, progress bars, and errors without a traceback."""

import errno
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from nwb_neurid.errors import NeuridError, NeuridWarning

T = TypeVar("T")

OUR_BREAK = "\n  "
"""A line break of our own messages, which indent every line after the first. Names and labels cannot contain it."""

HEAD = 100
"""Number of characters of a warning that are repeated when similar warnings are counted."""

CLOSED = 141
"""Exit code that shells report for a program whose output pipe was closed (128 + SIGPIPE)."""

VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*|\S*[/\\]\S*|\S+\.\w+\S*")
"""Words of a warning that contain names and numbers. The other words determine the kind of the warning."""

SYSTEM = frozenset(
    {"ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "ENAMETOOLONG", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST"}
    | {"ELOOP", "EIO", "EMFILE", "ENFILE", "ESTALE", "ETIMEDOUT", "EBUSY", "EILSEQ", "EAGAIN", "EBADF"}
)
"""Errors by which the operating system refuses something. They are not bugs of this package."""


class _Screen(Console):
    """A console that prints text unchanged. It ends the command quietly if the reader of the output has gone."""

    def __init__(self, *, file: Any = None, stderr: bool = False) -> None:
        super().__init__(file=file, stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def on_broken_pipe(self) -> NoReturn:
        """End like other programs when a pipe is closed."""
        silence(sys.__stdout__)
        raise SystemExit(CLOSED)


class Terminal:
    """Prints results to standard output; warnings, errors and progress to standard error.

    Control characters, and marks that reverse the direction of text, are printed as escapes: a label or a file name
    never moves the cursor, changes a colour or begins a line.

    Parameters
    ----------
    quiet
        Print errors only.
    verbose
        Also print the lines passed to `detail`, every single warning, and tracebacks.
    as_json
        Print only the document passed to `print_json` to standard output.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
        self._quiet, self._verbose, self.as_json = quiet, verbose, as_json
        self._out, self._err = _Screen(file=sys.stdout), _Screen(stderr=True)
        self._one_screen = self._out.is_terminal and self._err.is_terminal
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=self._err,
            transient=True,
            redirect_stdout=False,
            disable=quiet or not (self._err.is_terminal and self._err.file.isatty()),  # FORCE_COLOR asks for colours
        )
        self._alike: dict[str, list[str]] = {}
        self.failed = False

    def say(self, line: str = "") -> None:
        """Print a line, unless quiet."""
        if not (self._quiet or self.as_json):
            self._print(escape_controls(line))

    def say_table(self, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table, unless quiet. No cell is cut off."""
        table = Table(*map(escape_controls, titles), box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in table.columns:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*(escape_controls(str(cell)) for cell in row))
        if not (self._quiet or self.as_json):
            self._print(table)

    def print_json(self, value: Mapping[str, Any], *, indent: int | None = 2) -> None:
        """Print a JSON document, if the option for JSON was given."""
        if self.as_json:
            text = json.dumps(value, indent=indent, ensure_ascii=False, default=str, allow_nan=False)
            self._print("".join(char if char == "\n" else _escape_in_json(char) for char in text))

    def detail(self, line: str) -> None:
        """Print a line if verbose."""
        if self._verbose:
            self.say(line)

    def fail(self, error: NeuridError) -> None:
        """Print an error; the command continues, and ends with exit code 2."""
        self.failed = True
        self._complain(f"nwb-neurid: {error}", style="red")
        if self._verbose:
            self._err.print(_format_traceback(error))

    def warn(self, message: Warning | str) -> None:
        """Print a warning, unless quiet. Warnings that differ only in names and numbers are printed once."""
        text = str(message)
        alike = self._alike.setdefault(VARIES.sub("", text), [])
        alike.append(text)
        if len(alike) == 1 or self._verbose:
            self._warn(text)

    def close(self) -> None:
        """Print how many similar warnings were left out."""
        for first, *others in self._alike.values():
            if others and not self._verbose:
                head = first if len(first) <= HEAD else f"{first[:HEAD].rstrip()}..."
                self._warn(others[0] if len(others) == 1 else f"{len(others)} more warnings like: {head}")
        self._alike.clear()

    def progress(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Show a bar with the remaining time (a `nwb_neurid.contracts.Progress`), or nothing without a terminal."""
        if self._bars.disable:
            return items
        return self._draw_bar(items, label, total)

    @contextmanager
    def count(self, label: str) -> Iterator[Callable[[int], None]]:
        """Show a counter under the bars, for work without a known total. Without a terminal, nothing is shown."""
        if self._bars.disable:
            yield lambda _: None
            return
        with self._add_task(label) as task:
            yield lambda more: self._bars.advance(task, more)

    def describe(self, text: str) -> bool:
        """Show a text beside the innermost bar. Return False if there is no bar."""
        if not self._bars.tasks:
            return False
        self._bars.update(self._bars.tasks[-1].id, description=escape_controls(text))
        return True

    def _draw_bar(self, items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        with self._add_task(label, total) as task:
            for item in items:
                yield item
                self._bars.advance(task)
            self._bars.refresh()  # the last frame shows that all is done

    @contextmanager
    def _add_task(self, label: str, total: int | None = None) -> Iterator[TaskID]:
        self._bars.start()
        task = self._bars.add_task(escape_controls(label), total=total)
        try:
            yield task
        finally:
            self._bars.remove_task(task)
            if not self._bars.tasks:
                self._bars.stop()

    def _print(self, item: str | Table) -> None:
        """Print a result. On the screen that shows the bars, the console of the bars puts it above them."""
        try:
            (self._err if self._one_screen and self._bars.tasks else self._out).print(item)
        except OSError as error:
            silence(sys.__stdout__)
            self._out.quiet = True
            self.fail(NeuridError(f"Standard output cannot be written: {error.strerror or error}."))

    def _warn(self, text: str) -> None:
        if not self._quiet:
            self._complain(f"warning: {text}", style="yellow")

    def _complain(self, text: str, *, style: str) -> None:
        with suppress(OSError):  # nobody can be told then; the exit code remains
            self._err.print(escape_controls(text), style=style)


def escape_controls(text: str) -> str:
    """Replace characters that are not printable by escapes, except `OUR_BREAK`."""
    if text.isprintable():
        return text
    lines = ["".join(_escape(char) for char in line) for line in text.split(OUR_BREAK)]
    return OUR_BREAK.join(lines)


def _escape(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def _format_traceback(error: BaseException) -> str:
    """Format a traceback, with its line breaks."""
    text = "".join(traceback.format_exception(error))
    return "\n".join("".join(_escape(char) for char in line) for line in text.split("\n"))


def _escape_in_json(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def silence(stream: Any) -> None:
    """Discard the rest of the output to a stream, so that Python ends without an error message."""
    with suppress(AttributeError, OSError, ValueError):  # there is none, it has no number, or it is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def terminal(*, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> Iterator[Terminal]:
    """A terminal for one command. An error that ends the command is printed as one line, and sets the exit code.

    Output of plugins and libraries is sent to standard error, because standard output contains results only.
    """
    own = Terminal(quiet=quiet, verbose=verbose, as_json=as_json)

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, NeuridWarning) or verbose:
            own.warn(message)

    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("always", NeuridWarning)
        warnings.showwarning = show  # restored by catch_warnings
        try:
            yield own
        except NeuridError as error:
            own.fail(error)
        except (typer.Exit, KeyboardInterrupt):
            raise
        except Exception as error:
            if not is_refusal(error):  # a fault of ours: still one line
                raise typer.Exit(_report_fault(error, verbose)) from error
            own.fail(NeuridError(describe_refusal(error)))
        finally:
            own.close()
    if own.failed:
        raise typer.Exit(2)


def is_refusal(error: BaseException) -> bool:
    """Return whether an error is a refusal of the operating system (disk space, permissions, memory), and not a bug."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in SYSTEM
    )


def describe_refusal(error: BaseException) -> str:
    """Describe in one line what the operating system refused."""
    if not isinstance(error, OSError):
        return "There is not enough memory for this. Embed fewer recordings or units at once, or a shorter --duration."
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}."


def _report_fault(error: Exception, verbose: bool) -> int:
    print(f"nwb-neurid: unexpected {type(error).__name__}: {escape_controls(str(error))}", file=sys.stderr)
    print("This is a bug in nwb-neurid. Please report it with the output of --verbose.", file=sys.stderr)
    if verbose:
        print(_format_traceback(error), file=sys.stderr)
    return 1
