"""Faults of files: of their bytes, whatever their format, and of what stands in an HDF5 file.

Each is a function of the bytes, or of the open file, and of a generator of random numbers.
"""

import warnings

import h5py
import numpy as np


def flipped(data, rng):
    """Some bytes changed, here and there."""
    changed = data.copy()
    changed[rng.integers(0, len(data), rng.integers(1, 30))] ^= np.uint8(rng.integers(1, 256))
    return changed


def overwritten(data, rng):
    """A run of bytes overwritten, by anything or by one value."""
    changed = data.copy()
    first = rng.integers(0, len(data))
    run = slice(first, first + int(rng.integers(1, 600)))
    length = len(changed[run])
    changed[run] = rng.integers(0, 256, length) if rng.random() < 0.5 else rng.choice([0, 1, 127, 255])
    return changed


def truncated(data, rng):
    """The end missing."""
    return data[: rng.integers(1, len(data))]


def shifted(data, rng):
    """Some bytes missing in the middle, or some too many."""
    first, length = rng.integers(0, len(data)), int(rng.integers(1, 64))
    if rng.random() < 0.5:
        return np.delete(data, slice(first, first + length))
    return np.insert(data, first, rng.integers(0, 256, length).astype(np.uint8))


def anywhere(file, rng, kind):
    """A group or a dataset of the file."""
    paths = []
    file.visititems(lambda path, item: paths.append(path) if isinstance(item, kind) else None)
    return rng.choice(sorted(paths))


def without_a_key(file, rng):
    del file[anywhere(file, rng, (h5py.Group, h5py.Dataset))]


def without_an_attribute(file, rng):
    item = file[anywhere(file, rng, (h5py.Group, h5py.Dataset))]
    names = sorted(item.attrs)
    if names:
        del item.attrs[rng.choice(names)]
    elif "nwb_version" in file.attrs:
        del file.attrs["nwb_version"]


def replaced(file, path, values):
    """Something else at a path, with the attributes of what stood there."""
    kept = {name: value for name, value in file[path].attrs.items() if not isinstance(value, h5py.Empty)}
    del file[path]
    file[path] = values
    if isinstance(file[path], h5py.Dataset):
        file[path].attrs.update(kept)


def of_another_type(file, rng):
    path = anywhere(file, rng, h5py.Dataset)
    shape = file[path].shape or ()
    others = [
        np.zeros(shape, "i1"),
        np.ones(shape, "f8"),
        np.full(shape, 2**63, "u8"),
        np.full(shape, b"text"),
        np.full(shape, "text", object) if shape else "text",
        np.full(shape, 1j),
        np.zeros(shape, "V3"),
        np.zeros(shape, [("x", "f4"), ("y", "i2"), ("weight", "f4")]),
        np.ones(shape, bool),
        h5py.Empty("f8"),
        np.dtype("f4"),
        h5py.SoftLink(f"/{path}"),
    ]
    replaced(file, path, others[rng.integers(len(others))])


def of_another_length(file, rng):
    path = anywhere(file, rng, h5py.Dataset)
    stored = file[path][()]
    if np.ndim(stored) == 0:
        replaced(file, path, np.array([stored] * int(rng.integers(0, 3)), file[path].dtype))
        return
    replaced(file, path, {"data": with_another_length(stored, rng), "dtype": file[path].dtype})


def with_another_length(stored, rng):
    """An array shorter, longer, or with other axes."""
    others = [
        stored[:0],
        stored[:-1],
        np.concatenate([stored, stored]),
        stored[:, None],
        stored.ravel(),
        stored.T,
        stored[:1],
    ]
    return others[rng.integers(len(others))]


def of_other_values(file, rng):
    path = anywhere(file, rng, h5py.Dataset)
    dataset = file[path]
    if dataset.dtype.kind not in "iuf" or dataset.size == 0 or dataset.size is None:
        return
    dataset[()] = with_other_values(dataset[()], rng)


def with_other_values(stored, rng):
    """Numbers some of which are others, or stand elsewhere."""
    values = [np.nan, np.inf, -np.inf, -1, 0, 1e300, 2**31, 2**62, 1e-300, -5e9]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = np.array(stored)
        where = rng.random(changed.shape) < rng.choice([0.05, 0.5, 1.0])
        changed[where] = np.array(rng.choice(values)).astype(changed.dtype)
        if rng.random() < 0.2:
            changed = rng.permuted(changed)
    return changed


def of_another_attribute(file, rng):
    item = file[anywhere(file, rng, (h5py.Group, h5py.Dataset))]
    names = sorted(item.attrs) or ["neurodata_type"]
    values = [
        np.nan,
        0.0,
        -1,
        "text",
        [1, 2, 3],
        np.bytes_(b"\xff"),
        h5py.Empty("f4"),
        "Units",
        "OptogeneticSeries",
        1e300,
    ]
    item.attrs[rng.choice(names)] = values[rng.integers(len(values))]


def a_group_for_a_dataset(file, rng):
    path = anywhere(file, rng, h5py.Dataset)
    del file[path]
    file.create_group(path)


BYTES = (flipped, flipped, overwritten, overwritten, truncated, shifted)
OBJECTS = (
    without_a_key,
    without_a_key,
    without_an_attribute,
    of_another_type,
    of_another_type,
    of_another_length,
    of_another_length,
    of_other_values,
    of_other_values,
    of_another_attribute,
    a_group_for_a_dataset,
)


def mutate_bytes(path, data, rng):
    """Writes one mutation of a file, whatever its format, and tells what was done."""
    how = BYTES[rng.integers(len(BYTES))]
    path.write_bytes(how(np.frombuffer(data, np.uint8), rng).tobytes())
    return how.__name__


def mutate_hdf5(path, data, rng):
    """Writes one mutation of an HDF5 file, and tells what was done."""
    if rng.random() < 0.5:
        return mutate_bytes(path, data, rng)
    path.write_bytes(data)
    with h5py.File(path, "r+") as file:
        return mutate_objects(file, rng)


def mutate_objects(file, rng):
    """Mutates one to three objects of an open HDF5 file, and tells what was done."""
    done = []
    for _ in range(rng.integers(1, 4)):
        how = OBJECTS[rng.integers(len(OBJECTS))]
        try:
            how(file, rng)
        except Exception as error:  # this mutation does not apply here
            done.append(f"({how.__name__}: {type(error).__name__})")
        else:
            done.append(how.__name__)
    return ", ".join(done)
