"""The command line. Each command parses its options, calls one function and prints the result.

Exit codes: 0 for success, 1 for a fault of nwb-neurid, 2 for a fault of the input or the options.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes a while to import, during which Ctrl-C would print a traceback
    from sys import UnraisableHookArgs

INTERRUPTED = 130
"""Exit code that shells report for a command that Ctrl-C ended."""


def main() -> None:
    """Entry point of `nwb-neurid`. Ctrl-C ends it without a traceback, from the first import on."""
    try:
        _end_at_interrupt(True)
        _open_streams()
        os.environ["PYTHONSAFEPATH"] = "1"  # what the command starts looks for no modules in the folder it runs in
        from nwb_neurid.cli.guard import run_guarded

        run_guarded(_run_command)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run_command() -> None:
    from nwb_neurid.cli.app import run_app

    sys.unraisablehook = _repeat_interrupt
    try:
        _end_at_interrupt(False)
        run_app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        _end_at_interrupt(True)


def _open_streams() -> None:
    """Make standard streams that can be printed to, whatever they are connected to.

    If a stream is closed, the next file that is opened would get its number, and output would be written into this
    file. Characters that an encoding lacks are printed as escapes.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free; writing results to it is an error
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as Python runs
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        getattr(sys, name).reconfigure(errors="backslashreplace")


def _end_at_interrupt(at_once: bool) -> None:
    """Whether Ctrl-C ends the process, as while it imports, or raises `KeyboardInterrupt`, so that a command can undo.

    If interrupts are ignored, as under nohup, they stay ignored.
    """
    import signal

    raised, ended = signal.default_int_handler, signal.SIG_DFL
    if signal.getsignal(signal.SIGINT) in {raised, ended}:
        signal.signal(signal.SIGINT, ended if at_once else raised)


def _repeat_interrupt(lost: "UnraisableHookArgs") -> None:
    """Print an error that Python ignores. An interrupt is not printed but repeated a moment later."""
    import signal
    from threading import Timer

    if lost.exc_type is KeyboardInterrupt:
        Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)
