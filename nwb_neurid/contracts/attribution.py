"""Attribution to plugins: errors that a plugin raises, and warnings about the output of a plugin, contain its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from nwb_neurid.errors import BrokenPlugin, NeuridError

Who: TypeAlias = Callable[[], str]
"""A function that names a plugin, with its distribution and version. It is slow, so it is called only when needed."""

_running: ContextVar[Who] = ContextVar("running", default=str)


def name_plugin(kind: str, name: str, distribution: str) -> str:
    """Name a plugin in a message, with the distribution that it comes from."""
    return f"{kind} {name!r} ({distribution or 'no distribution'})"


def name_running_plugin() -> str:
    """Name the plugin whose code is running, with its distribution and version; "" if no plugin is running."""
    return _running.get()()


@contextmanager
def attribute_errors(who: Who, failed: str = "failed") -> Iterator[None]:
    """Wrap code of a plugin. Errors of nwb_neurid, warnings, and a lack of memory are passed on unchanged.

    Parameters
    ----------
    who
        Name of the plugin.
    failed
        Verb phrase for the message, for example "failed on a.nwb".

    Raises
    ------
    BrokenPlugin
        In place of any other error, and if the plugin tries to exit Python.
    """
    token = _running.set(who)
    try:
        yield
    except (NeuridError, Warning, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise BrokenPlugin(
            f"{who()} {failed}: {type(error).__name__}: {error}. This is a bug in the plugin. Please report it to "
            "its authors."
        ) from error
    finally:
        _running.reset(token)
