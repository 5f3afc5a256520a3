"""Plugins of made-up distributions, NWB in Zarr, and what a user meets who runs without shape checks."""

import json
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import h5py
import jaxtyping
import numpy as np
import pytest

GROUPS = ("nwb_neurid.encoders", "nwb_neurid.readers")


class Made(Distribution):
    """A distribution that is not installed anywhere: its metadata alone."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read_text(self, filename: str) -> str | None:
        return self._files.get(filename)

    def locate_file(self, path: str) -> Path:
        return Path(path)


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in users' runs, where nothing stands before our own messages."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def entry_points_of() -> Callable[..., list[EntryPoint]]:
    """Makes the entry points of a distribution: `entry_points_of("lab-a", isi="lab_a:PLUGIN")`."""

    def make(distribution: str, version: str = "1.0", group: str = GROUPS[0], **points: str) -> list[EntryPoint]:
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        about = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        return list(Made({"METADATA": about, "entry_points.txt": "\n".join(lines)}).entry_points)

    return make


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[EntryPoint]], None]:
    """Makes these entry points, and no others, those that are installed."""

    def install(points: Iterable[EntryPoint]) -> None:
        found = list(points)
        monkeypatch.setattr(
            "nwb_neurid.registry._find_points", lambda group: [point for point in found if point.group == group]
        )

    return install


class ZarrFolder:
    """NWB in Zarr 2 as hdmf-zarr lays it out: what stands in an HDF5 file, with references as JSON."""

    def __init__(self, folder: Path, chunk: int) -> None:
        self.folder, self.chunk = folder, chunk

    def write(self, group: h5py.Group) -> None:
        folder = self.folder / group.name.strip("/")
        folder.mkdir(parents=True)
        self.put(folder / ".zgroup", {"zarr_format": 2})
        links = []
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                links.append({"name": name, "path": link.path, "source": "."})
            elif isinstance(group[name], h5py.Group):
                self.write(group[name])
            else:
                self.write_array(group[name])
        self.put(folder / ".zattrs", self.attributes(group) | ({"zarr_link": links} if links else {}))

    def write_array(self, dataset: h5py.Dataset) -> None:
        import numcodecs

        folder = self.folder / dataset.name.strip("/")
        folder.mkdir(parents=True)
        values, codec = np.atleast_1d(dataset[()]), None
        kind = values.dtype.name
        described = {"zarr_format": 2, "order": "C", "filters": None, "fill_value": 0}
        if h5py.check_ref_dtype(dataset.dtype):
            values = [self.reference(dataset.file, each) for each in values]
            kind, codec = "object", numcodecs.JSON()
        elif h5py.check_string_dtype(dataset.dtype) or values.dtype.kind == "S":
            values, kind, codec = np.atleast_1d(dataset.asstr()[()]), "str", numcodecs.VLenUTF8()
        values = np.array(values, object) if codec else values
        told = [list(field) for field in values.dtype.descr] if values.dtype.names else values.dtype.str
        compressor = numcodecs.Blosc("lz4")
        described |= {
            "shape": list(values.shape),
            "dtype": "|O" if codec else told,
            "compressor": compressor.get_config(),
        }
        described |= {"filters": [codec.get_config()] if codec else None}
        described |= {"fill_value": None} if values.dtype.names else {}
        sizes = [max(1, min(self.chunk, length)) for length in values.shape]
        described["chunks"] = sizes
        for index in np.ndindex(*[-(-length // size) for length, size in zip(values.shape, sizes, strict=True)]):
            part = values[tuple(slice(at * size, (at + 1) * size) for at, size in zip(index, sizes, strict=True))]
            whole = np.full(sizes, "" if codec else np.zeros((), values.dtype), values.dtype)
            whole[tuple(map(slice, part.shape))] = part
            packed = compressor.encode(codec.encode(whole) if codec else np.ascontiguousarray(whole))
            (folder / ".".join(map(str, index))).write_bytes(packed)
        self.put(folder / ".zarray", described)
        self.put(
            folder / ".zattrs", self.attributes(dataset) | {"zarr_dtype": "scalar" if dataset.shape == () else kind}
        )

    def attributes(self, item: h5py.HLObject) -> dict[str, object]:
        found = {}
        for name, value in item.attrs.items():
            if isinstance(value, h5py.Reference):
                path = self.reference(item.file, value)
                found[name] = "specifications" if name == ".specloc" else {"zarr_dtype": "object", "value": path}
            else:
                found[name] = value.decode() if isinstance(value, bytes) else np.asarray(value).tolist()
        return found

    @staticmethod
    def reference(file: h5py.File, reference: h5py.Reference) -> dict[str, str]:
        return {"source": ".", "path": file[reference].name} if reference else {}

    @staticmethod
    def put(path: Path, document: object) -> None:
        path.write_text(json.dumps(document, indent=4, sort_keys=True))


@pytest.fixture(scope="session")
def as_zarr() -> Callable[..., Path]:
    """Writes what stands in an HDF5 file into a Zarr folder beside it, with consolidated metadata if asked for."""
    pytest.importorskip("numcodecs", reason="Zarr needs nwb-neurid[zarr]")

    def convert(path: Path, chunk: int = 1000, *, consolidated: bool = True) -> Path:
        folder = path.with_name(f"{path.name}.zarr")
        with h5py.File(path) as file:
            ZarrFolder(folder, chunk).write(file)
        if consolidated:
            known = {each.relative_to(folder).as_posix(): json.loads(each.read_text()) for each in folder.rglob(".z*")}
            ZarrFolder.put(folder / ".zmetadata", {"zarr_consolidated_format": 1, "metadata": known})
        return folder

    return convert


RATES_HZ = {"fast": 30.0, "slow": 5.0}


def animal(number: int, units: int = 8, *, duration_s: float = 8.0, types: tuple[str, ...] = ("fast", "slow"), **parts):
    """A recording of one animal, whose neurons of two types differ in rate; the types take turns."""
    from nwb_neurid.population import Population, Spikes

    rng = np.random.default_rng(number)
    labels = np.array([types[unit % len(types)] for unit in range(units)])
    trains = [np.sort(rng.uniform(0, duration_s, rng.poisson(RATES_HZ[name] * duration_s))) for name in labels]
    given = {
        "unit_ids": np.arange(units),
        "activity": Spikes.of(trains),
        "observed_s": np.array([[0.0, duration_s]]),
        "labels": {"cell_type": labels},
        "subject_id": f"mouse{number}",
        "session_id": f"day{number}",
        "source": f"mouse{number}.nwb",
    }
    return Population(**{**given, **parts})


@pytest.fixture(scope="session")
def make_animal() -> Callable[..., object]:
    """One animal, see `animal`."""
    return animal
