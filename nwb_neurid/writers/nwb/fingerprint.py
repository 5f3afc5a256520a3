"""Fingerprints of recordings, which show whether a recording has changed since it was read."""

from dataclasses import dataclass
from pathlib import Path

from nwb_neurid.errors import SourceChanged, SourceNotFound


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of a file, or of a Zarr folder with all its content. It differs after a change."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Take the fingerprint of the file at `path`.

        Raises
        ------
        SourceNotFound
            If there is no such file.
        """
        try:
            status = path.stat()
            inside = [each.lstat() for each in path.rglob("*")] if path.is_dir() else []
        except FileNotFoundError:
            raise SourceNotFound(f"{path} does not exist.") from None
        size = sum(each.st_size for each in inside) if path.is_dir() else status.st_size
        return cls(size, max(each.st_mtime_ns for each in (status, *inside)), status.st_ino)

    def check(self, path: Path) -> None:
        """Check that the file has not changed.

        Raises
        ------
        SourceChanged
            If the file at `path` no longer exists or has another fingerprint.
        """
        try:
            changed = Fingerprint.of(path) != self
        except SourceNotFound:
            raise SourceChanged(f"{path} vanished after it was read; nothing was written.") from None
        if changed:
            raise SourceChanged(f"{path} changed after it was read; nothing was written. Start again.")
