"""Commands and scripts for tests: each in a process of its own, forked from one that has loaded the libraries already.

Most of a short command's time is imports. What is imported when, and how long it takes, is tested with fresh
interpreters: tests/architecture and tests/unit/cli/test_startup.py.
"""

import atexit
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

LIBRARIES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "nwb_neurid.cli.app",
    "nwb_neurid.training",
    "nwb_neurid.workflows.embed",
    "nwb_neurid.workflows.fit_labels",
    "nwb_neurid.workflows.train",
    "pynwb",
    "sklearn.cluster",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "torch",
)
"""What commands load, or what loads it."""


class Commands:
    """Runs commands; ends with the process that made it, at the latest.

    Where there is no fork, or variables for Python are set, each of them is a fresh interpreter.
    """

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.address = str(Path(self.folder.name) / "socket")  # short enough for one on every system
        self.variables = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
        self.server = None
        if hasattr(os, "fork"):
            words = [sys.executable, __file__, "serve", self.address]
            self.server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self.server.stdout is not None
            assert self.server.stdout.readline() == b"ready\n"

    def run(
        self, words: Sequence[object], cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """`nwb-neurid` with these words in this folder, and what it printed."""
        return self.run_python(["-m", "nwb_neurid", *words], cwd, env, timeout_s)

    def run_python(
        self, words: Sequence[object], cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 300.0
    ) -> "subprocess.CompletedProcess[str]":
        """`python` with these words, which begin with a script or with `-m`, and what it printed."""
        texts = [str(word) for word in words]
        whole = [sys.executable, *texts]
        env = os.environ if env is None else env
        if self.server is None or {name: env[name] for name in env if name.startswith("PYTHON")} != self.variables:
            return subprocess.run(
                whole, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            code = ask(self.address, texts, str(cwd), dict(env), streams, timeout_s)
            printed = []
            for stream in (out, err):
                stream.seek(0)
                printed.append(stream.read().decode())
        return subprocess.CompletedProcess(whole, code, *printed)

    @property
    def python(self) -> str:
        """`python` as the beginning of a line of a shell."""
        words = [] if self.server is None else ["-S", "-E", __file__, self.address]
        return shlex.join([sys.executable, *words])

    def stop(self) -> None:
        """End the process that forks."""
        if self.server is not None:
            self.server.communicate()
        self.folder.cleanup()


def ask(
    address: str, words: list[str], cwd: str, env: dict[str, str], streams: list[int], timeout_s: float | None
) -> int:
    """Exit code of `python` with these words, folder, environment and standard streams."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(address)
        request = json.dumps({"words": words, "cwd": cwd, "env": env}).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], streams)
        connection.sendall(request)
        answers = connection.makefile("r")
        pid = int(answers.readline())
        try:
            return int(answers.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise


def serve(address: str) -> None:
    """Load the libraries, then answer requests until standard input ends. Returns in the child that runs a command."""
    for name in LIBRARIES:
        import_module(name)
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([server, 0], [], [], 1.0)
        while reap_child():
            pass
        if 0 in ready:
            os._exit(0)
        if not ready:
            continue
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            return answer(connection)
        connection.close()


def reap_child() -> bool:
    """Whether a child had ended, of which nothing is left now."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def answer(connection: socket.socket) -> None:
    """Run a command in a child, and report how it ended. Returns in the child."""
    size, streams, *_ = socket.recv_fds(connection, 4, 3)
    request = json.loads(connection.makefile("rb").read(int.from_bytes(size, "big")))
    child = os.fork()
    if child:
        connection.sendall(f"{child}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{code}\n".encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["words"]


def run_words() -> int:
    """Exit code of `python` with the words in `sys.argv`."""
    try:
        if sys.argv[0] == "-m":
            sys.path.insert(0, str(Path.cwd()))
            del sys.argv[0]
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End as Python does, but for taking down its modules, which would copy all memory that is shared."""
    threading._shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
        end(run_words())
    elif sys.argv[2] != "-m" and sys.argv[2].startswith("-"):
        os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:], str(Path.cwd()), dict(os.environ), [0, 1, 2], None))
