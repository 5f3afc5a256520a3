"""Results on several imaging planes of one file: one table beside each PlaneSegmentation."""

import json
import re
import shutil
from datetime import UTC, datetime

import numpy as np
import pynwb
import pytest
from pynwb.ophys import DfOverF, ImageSegmentation
from pynwb.testing.mock.ophys import mock_ImagingPlane

import nwb_neurid
from nwb_neurid.errors import CannotWrite, ResultsExist
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.workflows.report import write_report
from nwb_neurid.writers.options import WriteOptions

ROIS = {"upper": 3, "lower": 2}  # in the file they stand by their names


@pytest.fixture(scope="module")
def two_planes(tmp_path_factory):
    """Planes `upper` and `lower`, whose ROIs have the same ids."""
    rng = np.random.default_rng(0)
    file = pynwb.NWBFile("two planes", "two planes", datetime(2024, 1, 1, tzinfo=UTC))
    segmentation, responses = ImageSegmentation(), DfOverF()
    module = file.create_processing_module("ophys", "imaging")
    module.add([segmentation, responses])
    for name, units in ROIS.items():
        plane = mock_ImagingPlane(name=f"plane_{name}", nwbfile=file, location="VISp")
        table = segmentation.create_plane_segmentation("Cells.", plane, name)
        for _ in range(units):
            table.add_roi(image_mask=rng.random((4, 4)))
        responses.create_roi_response_series(
            name=name,
            data=rng.random((600, units)).astype(np.float32),
            rois=table.create_roi_table_region("all", region=list(range(units))),
            unit="n.a.",
            rate=10.0,
        )
    path = tmp_path_factory.mktemp("planes") / "planes.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture
def path(two_planes, tmp_path):
    return shutil.copy(two_planes, tmp_path / "planes.nwb")


@pytest.fixture(scope="module")
def model():
    return nwb_neurid.new_model("nuclr", preset="small-calcium", untrained=True)


def test_each_plane_has_a_table_of_its_own(path, model):
    outcome = embed_file(path, model)
    assert outcome.path == path
    assert not pynwb.validate(path=path)
    with pynwb.NWBHDF5IO(path, "r") as io:
        module = io.read().processing["ophys"]
        for name, units in ROIS.items():
            table = module[f"neurid_nuclr_{name}_embeddings"]
            assert table["neuron"].table is module["ImageSegmentation"][name]
            assert table["neuron"].data[:].tolist() == list(range(units))
            assert table.model.name == f"neurid_nuclr_{name}_model"
    lower, upper = nwb_neurid.read_results(path)
    assert (lower.name, upper.name) == ("neurid_nuclr_lower", "neurid_nuclr_upper")
    read = np.concatenate([lower.embeddings.vectors, upper.embeddings.vectors])
    np.testing.assert_array_equal(read, outcome.embeddings.vectors)
    one = embed_file(
        path,
        model,
        writing=WriteOptions(name="one"),
        reading=nwb_neurid.contracts.ReadOptions(part="processing/ophys/DfOverF/upper"),
    )
    np.testing.assert_array_equal(one.embeddings.vectors, upper.embeddings.vectors)


def test_a_second_run_is_refused_before_anything_is_computed(path, model):
    embed_file(path, model)
    before = path.read_bytes()
    with pytest.raises(ResultsExist, match=r"results called 'neurid_nuclr_lower' already.*--overwrite"):
        embed_file(path, model)
    assert path.read_bytes() == before
    embed_file(path, model, writing=WriteOptions(overwrite=True))
    assert len(nwb_neurid.read_results(path)) == 2


def test_where_there_is_room_for_one_plane_only(path, model):
    before = path.read_bytes()
    with pytest.raises(
        CannotWrite, match=r"are in 2 tables \(.*lower, .*upper\)\. .* only one of them: choose one \(--from\)"
    ):
        embed_file(path, model, writing=WriteOptions(sidecar=True))
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["planes.nwb"]


def test_removing_one_leaves_the_other(path, model):
    embed_file(path, model)
    nwb_neurid.writers.nwb.store.remove(path, "neurid_nuclr_upper")
    assert [found.name for found in nwb_neurid.read_results(path)] == ["neurid_nuclr_lower"]
    assert not pynwb.validate(path=path)


def test_the_report_shows_one_plane(path, model):
    embed_file(path, model)
    values = nwb_neurid.read(path).traces.values
    for name, rows in (("lower", slice(0, 2)), ("upper", slice(2, 5))):
        page = write_report(path, path.with_name(f"{name}.html"), name=f"neurid_nuclr_{name}")
        facts = json.loads(re.search(r'id="facts">(.*?)</script>', page.read_text("utf-8"), re.DOTALL).group(1))
        assert facts["ids"] == [str(row) for row in range(ROIS[name])]
        spread = next(column["values"] for column in facts["numbers"] if column["name"].startswith("SD of"))
        np.testing.assert_allclose(spread, values[rows].std(axis=1), rtol=1e-3)
