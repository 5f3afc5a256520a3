"""The command line. Each command parses, calls one function and prints; exit codes: 0, 1 (our fault), 2 (yours)."""


def main() -> None:
    """Entry point of `nwb-neurid`."""
    from nwb_neurid.cli.guard import guarded

    guarded(_command)


def _command() -> None:
    from nwb_neurid.cli.app import app

    app()
