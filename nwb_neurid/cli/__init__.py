"""The command line. Each command parses, calls one function and prints; exit codes: 0, 1 (our fault), 2 (yours)."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes a while to import, in which Ctrl-C would be told at length
    from sys import UnraisableHookArgs

INTERRUPTED = 130
"""What shells say of a command that Ctrl-C ended."""


def main() -> None:
    """Entry point of `nwb-neurid`. Ctrl-C ends it without a traceback, from the first import on."""
    try:
        _end_at_interrupt(True)
        from nwb_neurid.cli.guard import guarded

        guarded(_command)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _command() -> None:
    from nwb_neurid.cli.app import app

    sys.unraisablehook = _tell
    try:
        _end_at_interrupt(False)
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        _end_at_interrupt(True)


def _end_at_interrupt(at_once: bool) -> None:
    """Whether Ctrl-C ends the process, as while it imports, or raises `KeyboardInterrupt`, so that a command can undo.

    Where interrupts are ignored, as under nohup, they stay so.
    """
    import signal

    raised, ended = signal.default_int_handler, signal.SIG_DFL
    if signal.getsignal(signal.SIGINT) in {raised, ended}:
        signal.signal(signal.SIGINT, ended if at_once else raised)


def _tell(lost: "UnraisableHookArgs") -> None:
    """Print an error that Python drops, but for an interrupt, which comes again a moment later."""
    import signal
    from threading import Timer

    if lost.exc_type is KeyboardInterrupt:
        Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)
