"""Recordings made by PyNWB, results to write into them, and the rule that a refusal changes nothing."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwb_neurid.results import UNTRAINED, Embeddings, Predictions, Provenance

UNIT_IDS = np.array([30, 7, 11, 90, 4, 2])
CELLS = "processing/ophys/ImageSegmentation/PlaneSegmentation"


@pytest.fixture(scope="session")
def written_by_pynwb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with six units, whose ids are in no order, and an imaging plane with four cells."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject
    from pynwb.ophys import ImageSegmentation
    from pynwb.testing.mock.ophys import mock_ImagingPlane

    rng = np.random.default_rng(0)
    file = NWBFile(
        session_description="Six units and four cells.",
        identifier="six units",
        session_start_time=datetime(2020, 1, 1, tzinfo=UTC),
        subject=Subject(subject_id="mouse", species="Mus musculus", sex="F", age="P90D"),
    )
    file.add_unit_column("cell_type", "known identity")
    for unit in UNIT_IDS.tolist():
        file.add_unit(spike_times=np.sort(rng.uniform(0, 100, 50)), cell_type="Pvalb", id=unit)
    segmentation = ImageSegmentation()
    plane = segmentation.create_plane_segmentation("Cells.", mock_ImagingPlane(nwbfile=file), "PlaneSegmentation")
    for pixel in range(4):
        plane.add_roi(pixel_mask=[(pixel, pixel, 1.0)])
    file.create_processing_module("ophys", "Segmented cells.").add(segmentation)
    path = tmp_path_factory.mktemp("written_by_pynwb") / "recording.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture
def recording(written_by_pynwb: Path, tmp_path: Path) -> Path:
    """A copy of the recording that a test may write to, alone in its folder."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    return Path(shutil.copy(written_by_pynwb, folder / "recording.nwb"))


@pytest.fixture(scope="session")
def cells() -> str:
    """Where the table of cells lies in the recording."""
    return CELLS


@pytest.fixture(scope="session")
def with_other_extension() -> Callable[[Path], Path]:
    """Adds the namespace of another extension to a recording."""

    def add(path: Path) -> Path:
        with h5py.File(path, "r+") as file:
            group = file.create_group("specifications/ndx-other/0.1.0")
            group["namespace"] = (
                '{"namespaces":[{"doc":"Of somebody else.","name":"ndx-other","version":"0.1.0","author":["A"],'
                '"contact":["a@b.c"],"schema":[{"namespace":"core"},{"source":"ndx-other.extensions"}]}]}'
            )
            group["ndx-other.extensions"] = (
                '{"groups":[{"neurodata_type_def":"Other","neurodata_type_inc":"NWBDataInterface","doc":"Other."}]}'
            )
        return path

    return add


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A recording with whatever holds references: electrodes, trials that point to a series, links, ragged columns."""
    from pynwb import NWBHDF5IO, NWBFile, TimeSeries

    start = datetime(2020, 1, 1, tzinfo=UTC)
    file = NWBFile(session_description="Rich.", identifier="rich", session_start_time=start, keywords=["a", "b"])
    group = file.create_electrode_group("probe", description="P.", location="V1", device=file.create_device("device"))
    for _ in range(5):
        file.add_electrode(group=group, location="V1")
    series = TimeSeries(name="series", data=np.arange(60.0).reshape(20, 3), rate=1.0, unit="m")
    file.add_acquisition(series)
    for trial in range(4):
        file.add_trial(start_time=float(trial), stop_time=trial + 1.0, timeseries=[series])
    for unit in UNIT_IDS.tolist():
        file.add_unit(spike_times=np.arange(5.0) + unit, electrodes=[0, 1], electrode_group=group, id=unit)
    path = tmp_path / "rich" / "rich.nwb"
    path.parent.mkdir()
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture(scope="session")
def embeddings() -> Embeddings:
    """Of the six units: one is silent, and one was seen in too few windows to know its stability."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 16)).astype(np.float32)
    vectors[2] = np.nan
    return Embeddings(
        vectors=vectors,
        unit_ids=UNIT_IDS,
        n_windows=np.array([9, 8, 0, 7, 3, 9], np.int32),
        stability=np.array([0.9, 0.8, np.nan, 0.7, np.nan, 1], np.float32),
        reasons=np.array(["", "", "silent", "", "", ""]),
        provenance=Provenance(
            encoder="nuclr",
            encoder_version="0.1.0",
            config={"dim": 16, "layers": [1, 2]},
            weights_sha256="0123abcd" * 8,
            training="three mice",
            window_s=10.0,
            notes=("Resampled to 30 Hz.", "Two units were merged."),
            source="recording.nwb",
            session_id="six units",
            subject_id="mouse",
            software={"torch": "2.13.0"},
        ),
    )


@pytest.fixture(scope="session")
def predictions(embeddings: Embeddings) -> Predictions:
    """Of the six units: one is declined, and the silent one has none."""
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [np.nan] * 3, [0.4, 0.3, 0.3], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]], np.float32
    )
    return Predictions(
        label_name="cell_type",
        scope="opto-tagged interneurons of mouse V1",
        classes=np.array(["Pvalb", "Sst", "Vip"]),
        unit_ids=embeddings.unit_ids,
        label=np.array(["Pvalb", "Sst", "", "Pvalb", "Vip", "Vip"]),
        class_probabilities=probabilities,
        prediction_set=np.nan_to_num(probabilities) >= 0.3,
        abstained=np.array([False, False, True, True, False, False]),
        reasons=np.array(["", "", "silent", "three classes are plausible", "", ""]),
        ood_score=np.array([0.1, 0.2, np.nan, 3, 0.4, 0.5], np.float32),
        prevalence=np.array([0.5, 0.3, 0.2], np.float32),
        coverage=0.9,
        provenance=embeddings.provenance,
    )


@pytest.fixture(scope="session")
def untrained(embeddings: Embeddings) -> Embeddings:
    """From random weights, on stitched windows."""
    return replace(embeddings, provenance=replace(embeddings.provenance, training=UNTRAINED, stitched=True))


@pytest.fixture(scope="session")
def cell_embeddings() -> Embeddings:
    """Of the four cells, by an encoder that takes the recording as a whole."""
    return Embeddings(
        vectors=np.random.default_rng(2).normal(size=(4, 8)).astype(np.float32),
        unit_ids=np.arange(4),
        n_windows=np.ones(4, np.int32),
        stability=np.full(4, np.nan, np.float32),
        reasons=np.array([""] * 4),
        provenance=Provenance(encoder="isi", encoder_version="2"),
    )


@pytest.fixture(scope="session")
def assert_same_results() -> Callable[[object, object], None]:
    """Two `Embeddings`, or two `Predictions`, hold the same."""

    def compare(one: object, other: object) -> None:
        assert type(one) is type(other)
        for name in one.__dataclass_fields__:
            mine, theirs = getattr(one, name), getattr(other, name)
            if isinstance(mine, np.ndarray):
                np.testing.assert_array_equal(mine, theirs, err_msg=name)
                assert mine.dtype.kind == theirs.dtype.kind, name
            else:
                assert mine == theirs, name

    return compare


@pytest.fixture(scope="session")
def unchanged() -> Callable[[Path], AbstractContextManager[None]]:
    """Within the block, a file keeps its bytes and its mode, and its folder gets no other file."""

    def state(path: Path) -> tuple[object, ...]:
        beside = sorted(other.name for other in path.parent.iterdir())
        return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode, beside

    @contextmanager
    def watched(path: Path) -> Iterator[None]:
        before = state(path)
        yield
        assert state(path) == before

    return watched


@pytest.fixture(scope="session")
def everything() -> Callable[[Path], dict[str, object]]:
    """Every dataset and attribute of a file, by its place; references as the place that they lead to."""

    def contents(path: Path) -> dict[str, object]:
        found = {}

        def value_of(value: object, file: h5py.File) -> object:
            if isinstance(value, h5py.Reference):
                return file[value].name
            array = np.asarray(value)
            if array.dtype.names:
                return [value_of(array[name], file) for name in array.dtype.names]
            if array.size and isinstance(array.flat[0], h5py.Reference):
                return [value_of(each, file) for each in array.flat]
            return (str(array.dtype), array.shape, array.tolist() if array.dtype == object else array.tobytes())

        def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
            found[name] = type(item).__name__
            if isinstance(item, h5py.Dataset):
                found[f"{name} data"] = value_of(item[()], item.file)
            found.update({f"{name} @{key}": value_of(value, item.file) for key, value in item.attrs.items()})

        with h5py.File(path, "r") as file:
            note("/", file)
            file.visititems(note)
        return found

    return contents
