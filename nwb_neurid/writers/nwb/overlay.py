"""An HDF5 file with changes that exist in memory alone, until someone writes them down."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

PAGE = 65_536


class Overlay(io.RawIOBase):
    """What h5py opens in place of the file at `path`: it reads the file, and keeps what is written to itself.

    Parameters
    ----------
    path
        A file. It is never changed from here.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._old_size = self._size = path.stat().st_size
        self._position = 0
        self._pages: dict[int, bytearray] = {}

    @property
    def old_size(self) -> int:
        """Of the file, in bytes."""
        return self._old_size

    @property
    def size(self) -> int:
        """What the file would have with the changes, in bytes."""
        return self._size

    def changes(self) -> list[tuple[int, bytes]]:
        """What differs from the file, by offset in ascending order; nothing spans the old end of the file."""
        found = []
        for page, content in sorted(self._pages.items()):
            start, stop = page * PAGE, min((page + 1) * PAGE, self._size)
            for low, high in ((start, min(stop, self._old_size)), (max(start, self._old_size), stop)):
                now = bytes(content[low - start : high - start])
                if low < high and now != self.before(low, high - low):
                    found.append((low, now))
        return found

    def before(self, offset: int, count: int) -> bytes:
        """What the file itself holds there; less where it ends."""
        self._file.seek(offset)
        parts = []
        while count > 0 and (part := self._file.read(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def save(self, path: Path) -> None:
        """Write the file, with its changes, to `path`."""
        with path.open("wb") as copy:
            for offset in range(0, self._old_size, 2**24):
                copy.write(self.before(offset, min(2**24, self._old_size - offset)))
            for offset, content in self.changes():
                copy.seek(offset)
                copy.write(content)
            copy.truncate(self._size)

    def readable(self) -> bool:
        """As any file."""
        return True

    def writable(self) -> bool:
        """As any file."""
        return True

    def seekable(self) -> bool:
        """As any file."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As any file."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        """As any file."""
        return self._position

    def truncate(self, size: int | None = None, /) -> int:
        """As any file."""
        self._size = self._position if size is None else size
        return self._size

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """As any file."""
        view = memoryview(buffer).cast("B")
        start, count = self._position, min(len(view), max(0, self._size - self._position))
        known = self.before(start, min(count, max(0, self._old_size - start)))
        view[: len(known)] = known
        view[len(known) : count] = bytes(count - len(known))
        for page in range(start // PAGE, -(-(start + count) // PAGE)) if self._pages else ():
            if (content := self._pages.get(page)) is not None:
                low, high = max(start, page * PAGE), min(start + count, (page + 1) * PAGE)
                view[low - start : high - start] = content[low - page * PAGE : high - page * PAGE]
        self._position += count
        return count

    def write(self, data: "ReadableBuffer", /) -> int:
        """As any file."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            page, at = divmod(self._position, PAGE)
            if page not in self._pages:
                self._pages[page] = bytearray(self.before(page * PAGE, PAGE).ljust(PAGE, b"\0"))
            part = view[done : done + PAGE - at]
            self._pages[page][at : at + len(part)] = part
            done += len(part)
            self._position += len(part)
        self._size = max(self._size, self._position)
        return done

    def close(self) -> None:
        """As any file."""
        self._file.close()
        super().close()
