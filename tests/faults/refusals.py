"""What stands in the way of writing, and what is said and left then.

    python tests/faults/refusals.py

Ends with code 1 if a file changed although nothing was to be written, or something was left beside it.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recordings import make_embeddings, make_recording, same_bytes, strays

from nwb_neurid._system.lock import lock
from nwb_neurid.errors import NeuridError
from nwb_neurid.writers.nwb.store import Fingerprint, write

HOLD = "import h5py, sys; file = h5py.File(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read()"


@contextmanager
def read_only_file(path: Path) -> Iterator[None]:
    path.chmod(0o444)
    yield
    path.chmod(0o644)


@contextmanager
def read_only_folder(path: Path) -> Iterator[None]:
    path.parent.chmod(0o555)
    yield
    path.parent.chmod(0o755)


@contextmanager
def two_names(path: Path) -> Iterator[None]:
    other = path.parent.parent / "other.nwb"
    other.hardlink_to(path)
    yield
    other.unlink()


@contextmanager
def held(path: Path, mode: str) -> Iterator[None]:
    command = [sys.executable, "-c", HOLD, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        yield
        holder.stdin.close()


@contextmanager
def opened_by_a_reader(path: Path) -> Iterator[None]:
    with held(path, "r"):
        yield


@contextmanager
def opened_by_a_writer(path: Path) -> Iterator[None]:
    with held(path, "r+"):
        yield


@contextmanager
def written_by_another_process(path: Path) -> Iterator[None]:
    with lock(path):
        yield


@contextmanager
def changed_since_it_was_read(path: Path) -> Iterator[None]:
    content = path.read_bytes()
    path.write_bytes(content)
    yield


FAULTS: tuple[Callable[[Path], object], ...] = (
    read_only_file,
    read_only_folder,
    two_names,
    opened_by_a_reader,
    opened_by_a_writer,
    written_by_another_process,
    changed_since_it_was_read,
)


def main() -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        pristine = make_recording(Path(folder) / "pristine.nwb", 1)
        path = Path(folder) / "there" / "recording.nwb"
        path.parent.mkdir()
        for fault in FAULTS:
            shutil.copyfile(pristine, path)
            read_as, said = Fingerprint.of(path), "written"
            with fault(path):
                try:
                    write(path, make_embeddings(), expected=read_as)
                except NeuridError as error:
                    said = f"refused: {str(error).replace(f'{path.parent}/', '')}"
            kept = said == "written" or (same_bytes(path, pristine) and not strays(path))
            wrong += not kept
            print(f"{'' if kept else 'WRONG '}{fault.__name__.replace('_', ' ')}: {said}")
            path.unlink()
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
