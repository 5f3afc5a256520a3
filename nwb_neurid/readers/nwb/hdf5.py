"""Groups and datasets of an HDF5 file. Any problem with them is raised as an error of nwb-neurid.

Only this module and `outside` call h5py on the content of an open file. They return NumPy arrays. h5py raises errors
of HDF5 as built-in exceptions, and a damaged file can cause any of these exceptions. Each call to h5py is therefore
wrapped in `_reading`. No other code is wrapped, so that bugs of this package are not mistaken for a damaged file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.expansion import check_size, damaged
from nwb_neurid.readers.nwb.contents import Dataset, Group, Holding, Rows
from nwb_neurid.readers.nwb.outside import check_links, check_outside, open_dataset

H5PY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
"""The exceptions by which h5py reports errors of HDF5 (see the tables in its `_errors.pyx`), and NumPy's for an array
that is too large.
"""

_HOLDING: dict[int, Holding] = {
    h5py.h5t.INTEGER: "numbers",
    h5py.h5t.FLOAT: "numbers",
    h5py.h5t.ENUM: "numbers",  # h5py stores booleans as an enum
    h5py.h5t.STRING: "text",
    h5py.h5t.REFERENCE: "references",
    h5py.h5t.COMPOUND: "records",
}


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except H5PY_ERRORS as error:
        fault = error.args[0] if error.args else type(error).__name__
        raise damaged(where, str(fault)) from error


@dataclass(frozen=True, slots=True, eq=False)
class Hdf5Dataset(Dataset):
    """A dataset of an HDF5 file.

    Parameters
    ----------
    h5
        The h5py dataset.
    file
        Path of the file, for messages.
    where
        The file and the path in it, for messages.
    """

    h5: h5py.Dataset
    file: str
    where: str
    _checked: list[bool] = field(default_factory=list, repr=False)  # reading in parts needs one check only

    @property
    def shape(self) -> tuple[int, ...]:
        """Same as in `Dataset`."""
        with _reading(self.where):
            return tuple(self.h5.shape)

    def chunk(self) -> tuple[int, ...] | None:
        """Same as in `Dataset`."""
        with _reading(self.where):
            return None if self.h5.chunks is None else tuple(self.h5.chunks)

    def holding(self) -> Holding:
        """Return the kind of the values from the HDF5 type class. Some HDF5 types have no equivalent in NumPy."""
        with _reading(self.where):
            return _HOLDING.get(int(self.h5.id.get_type().get_class()), "else")

    def _values(self, rows: Rows) -> Shaped[np.ndarray, "..."]:
        with _reading(self.where):
            return np.asarray(self.h5[() if rows is None else rows])

    def _texts(self) -> Shaped[np.ndarray, "..."]:
        with _reading(self.where):
            return np.asarray(self.h5.asstr("utf-8", errors="replace")[()], dtype=object)

    def _targets(self) -> list[str]:
        with _reading(self.where):
            objects = [self.h5.file[reference] if reference else None for reference in np.ravel(self.h5[()])]
            paths = {item: item and item.name for item in set(objects)}  # HDF5 searches the whole file for a name
        return [str(paths[item] or "") for item in objects]

    def raw_attribute(self, name: str) -> object:
        """Same as in `Dataset`."""
        with _reading(self.where):
            return self.h5.attrs.get(name)

    def referred_by(self, name: str) -> "Hdf5Group | None":
        """Same as in `Dataset`."""
        with _reading(self.where):
            reference = self.h5.attrs.get(name)
            item = self.h5.file[reference] if isinstance(reference, h5py.Reference) and reference else None
            return Hdf5Group(item, self.file, str(item.name)) if isinstance(item, h5py.Group) else None

    def check_readable(self) -> None:
        """Refuse data that lie outside the folder, need a missing filter, or cannot have the size that is stated."""
        if self._checked:
            return
        with _reading(self.where):
            check_outside(self.h5, self.where)
            made = self.h5.id.get_create_plist()
            filters = [made.get_filter(index) for index in range(made.get_nfilters())]
            missing = [name.decode() or str(code) for code, _, _, name in filters if not h5py.h5z.filter_avail(code)]
            virtual = made.get_layout() == h5py.h5d.VIRTUAL  # the data are in other datasets
            size, stored = self.h5.nbytes, self.h5.id.get_storage_size()
        if missing:
            raise UnreadableSource(
                f"{self.where} is compressed with {missing[0]}, which is not installed. Install hdf5plugin and set "
                "HDF5_PLUGIN_PATH to its folder of plugins."
            )
        if not virtual:
            check_size(size, stored, self.where)
        self._checked.append(True)


@dataclass(frozen=True, slots=True, eq=False)
class Hdf5Group(Group):
    """A group of an HDF5 file. Datasets without a dataspace are ignored, like links without a target.

    Parameters
    ----------
    h5
        The h5py group.
    file
        Path of the file, for messages.
    path
        Path of the group in it; "" for the root.
    """

    h5: h5py.Group
    file: str
    path: str = ""

    def dataset(self, path: str) -> Hdf5Dataset | None:
        """Same as in `Group`."""
        item, where = self._item(path), self.place(path)
        with _reading(where):
            known = isinstance(item, h5py.Dataset) and item.shape is not None
        return Hdf5Dataset(item, self.file, where) if known else None

    def group(self, path: str) -> "Hdf5Group | None":
        """Same as in `Group`."""
        item = self._item(path)
        return Hdf5Group(item, self.file, f"{self.path}/{path}") if isinstance(item, h5py.Group) else None

    def names(self) -> list[str]:
        """Same as in `Group`."""
        with _reading(self.where):
            return [name for name in self.h5 if isinstance(name, str)]

    def raw_attribute(self, name: str) -> object:
        """Same as in `Group`."""
        with _reading(self.where):
            return self.h5.attrs.get(name)

    def name_of(self, path: str) -> str:
        """Same as in `Group`."""
        with _reading(self.place(path)):
            link = self.h5.get(path, getlink=True)
            return str(getattr(link, "path", path)).rsplit("/", 1)[-1]

    def _item(self, path: str) -> h5py.HLObject | None:
        with _reading(self.place(path)):
            check_links(self.h5, path, self.place(path))
            if path not in self.h5:
                return None
            if not isinstance(self.h5.get(path, getlink=True), h5py.HardLink) and self.h5.get(path) is None:
                return None
            if self.h5.get(path, getclass=True) is h5py.Dataset:
                return open_dataset(self.h5, path)
            return self.h5[path]  # `get` would not show that the object is damaged
