"""What every command has: lines to print, warnings as lines, progress bars, and errors without a traceback."""

import io
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any, TypeAlias, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nwb_neurid.contracts.attribution import name_running_plugin
from nwb_neurid.errors import NeuridError, NeuridWarning

T = TypeVar("T")

Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; show where an error arose.")]


class Terminal:
    """Prints results to standard output; warnings, errors and progress to standard error.

    Parameters
    ----------
    quiet
        Print nothing but errors.
    verbose
        Also print what `detail` is given, and tracebacks.
    """

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._err,
            transient=True,
            redirect_stdout=False,
            disable=quiet or not self._err.is_terminal,
        )
        self.failed = False

    def say(self, line: str | Table = "") -> None:
        """Print a line or a table, unless quiet."""
        if not self._quiet:
            self._out.print(line)

    def detail(self, line: str) -> None:
        """Print a line if verbose."""
        if self._verbose:
            self.say(line)

    def fail(self, error: NeuridError) -> None:
        """Print an error, and let the command end with code 2 when it is through."""
        self.failed = True
        self._err.print(f"nwb-neurid: {error}", style="red")
        if self._verbose:
            self._err.print("".join(traceback.format_exception(error)))

    def warn(self, message: Warning | str) -> None:
        """Print a warning, unless quiet."""
        if not self._quiet:
            self._err.print(f"warning: {message}", style="yellow")

    def progress(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """A `nwb_neurid.contracts.Progress`: a bar with the time left; nothing where there is no terminal."""
        if self._bars.disable:
            return items
        return self._with_bar(items, label, total)

    def describe(self, text: str) -> bool:
        """Put a text beside the innermost bar; false where there is none."""
        if not self._bars.tasks:
            return False
        self._bars.update(self._bars.tasks[-1].id, description=text)
        return True

    def _with_bar(self, items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        self._bars.start()
        task = self._bars.add_task(label, total=total)
        try:
            for item in items:
                yield item
                self._bars.advance(task)
        finally:
            self._bars.remove_task(task)
            if not self._bars.tasks:
                self._bars.stop()


class Stray(io.TextIOBase):
    """Standard output while a command runs: what a plugin prints becomes a warning that names it, once.

    Parameters
    ----------
    own
        Prints the warnings.
    stdout
        Where everything else goes.
    """

    def __init__(self, own: Terminal, stdout: Any) -> None:
        self._own, self._stdout = own, stdout
        self._named: set[str] = set()

    def write(self, text: str) -> int:
        """Pass text on, or say who printed it."""
        who = name_running_plugin()
        if not who:
            self._stdout.write(text)
            return len(text)
        if text.strip() and who not in self._named:
            self._named.add(who)
            line = text.strip().splitlines()[0]
            self._own.warn(f"{who} prints to standard output, where only results belong. It begins: {line}")
        return len(text)

    def flush(self) -> None:
        """Flush what was passed on."""
        self._stdout.flush()

    def isatty(self) -> bool:
        """Whether results go to a terminal."""
        return bool(self._stdout.isatty())

    def fileno(self) -> int:
        """The file behind it, for programs that are started."""
        return int(self._stdout.fileno())


@contextmanager
def terminal(*, quiet: bool, verbose: bool) -> Iterator[Terminal]:
    """A terminal for one command. Turns whatever escapes from the command into one line and an exit code."""
    own = Terminal(quiet=quiet, verbose=verbose)

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, NeuridWarning) or verbose:
            own.warn(message)

    with warnings.catch_warnings(), redirect_stdout(Stray(own, sys.stdout)):
        warnings.simplefilter("always", NeuridWarning)
        warnings.showwarning = show  # restored by catch_warnings
        try:
            yield own
        except NeuridError as error:
            own.fail(error)
        except (typer.Exit, KeyboardInterrupt):
            raise
        except Exception as error:  # a fault of ours: still one line
            print(f"nwb-neurid: unexpected {type(error).__name__}: {error}", file=sys.stderr)
            print(
                "This is a fault of nwb-neurid, please report it with the output of --verbose.",
                file=sys.stderr,
            )
            if verbose:
                traceback.print_exc()
            raise typer.Exit(1) from error
    if own.failed:
        raise typer.Exit(2)
