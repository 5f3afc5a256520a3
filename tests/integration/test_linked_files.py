"""PyNWB's modular storage: a file that links to another one gets results, and the other one keeps every byte."""

import os
from datetime import UTC, datetime

import h5py
import numpy as np
import pynwb
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotWrite, InvalidOption, NeuridWarning
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.store import read_results, remove
from nwb_neurid.writers.options import WriteOptions

LINKS = {
    "module": ("processing/ecephys", "/processing/ecephys"),
    "processing": ("processing", "/processing"),
    "units": ("units", "/units"),
    "electrodes": ("general/extracellular_ephys/electrodes", "/general/extracellular_ephys/electrodes"),
    "bystander": ("processing/ecephys/series", "/acquisition/series"),
    "column": ("units/quality", "/acquisition/series/data"),
    "specifications": ("specifications", "/specifications"),
    "our specification": ("specifications/ndx-neurid", "/specifications/core"),
    "its version": ("specifications/ndx-neurid/0.1.0", "/specifications/core"),
    "through a soft link": ("processing/ecephys", "/processing/ecephys"),
}
ELSEWHERE = {"module", "processing", "units", "through a soft link"}  # where the file itself has no place for results


def _nwbfile(name):
    return pynwb.NWBFile(name, name, datetime(2024, 1, 1, tzinfo=UTC))


def _with_units(file, seed):
    rng = np.random.default_rng(seed)
    for unit in range(4):
        file.add_unit(spike_times=np.sort(rng.uniform(0, 60, 100)), id=unit)
    return file


@pytest.fixture(scope="module")
def raw_bytes(tmp_path_factory):
    """The other file: units, electrodes, a processing module, a series."""
    file = _with_units(_nwbfile("raw"), 0)
    group = file.create_electrode_group("probe", "P.", "CA1", device=file.create_device("device"))
    file.add_electrode(group=group, location="CA1")
    file.add_acquisition(pynwb.TimeSeries(name="series", data=np.arange(10.0), unit="m", rate=1.0))
    module = file.create_processing_module("ecephys", "Of the other file.")
    module.add(pynwb.TimeSeries(name="lfp", data=np.arange(10.0), unit="m", rate=1.0))
    path = tmp_path_factory.mktemp("raw") / "raw.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path.read_bytes()


@pytest.fixture
def raw(raw_bytes, tmp_path):
    path = tmp_path / "raw.nwb"
    path.write_bytes(raw_bytes)
    return path


@pytest.fixture(params=LINKS)
def kind(request):
    return request.param


@pytest.fixture
def analysis(raw, tmp_path, kind):
    """A file that takes one thing from the other one."""
    path = tmp_path / "analysis.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        file = _with_units(_nwbfile("analysis"), 1)
        file.create_processing_module("ecephys", "Of the file itself.")
        io.write(file)
    place, target = LINKS[kind]
    with h5py.File(path, "r+") as file:
        if place in file:
            del file[place]
        if kind == "through a soft link":
            file["scratch/link"] = h5py.ExternalLink("raw.nwb", target)
            file[place] = h5py.SoftLink("/scratch/link")
        else:
            file[place] = h5py.ExternalLink("raw.nwb", target)
        if kind == "column":
            file["units"].attrs["colnames"] = [*file["units"].attrs["colnames"], "quality"]
    return path


@pytest.fixture
def untouched(raw, raw_bytes):
    """Whatever the test does, the other file keeps its bytes and its date, and opens."""
    before = raw.stat()
    yield
    assert raw.read_bytes() == raw_bytes
    assert raw.stat().st_mtime_ns == before.st_mtime_ns
    with pynwb.NWBHDF5IO(raw, "r") as io:
        assert len(io.read().units) == 4


def _embed(path, kind, **options):
    """The file with the results; where it is not the one that was named, a warning says why."""
    model = nwb_neurid.new_model("isi")
    if kind not in ELSEWHERE:
        return embed_file(path, model, writing=WriteOptions(**options)).path
    with pytest.warns(NeuridWarning, match=r"analysis\.nwb links to /.* from raw\.nwb in another file, .* changed"):
        return embed_file(path, model, writing=WriteOptions(**options)).path


# Without a stated observation, reading warns of that each time.
pytestmark = [
    pytest.mark.usefixtures("untouched"),
    pytest.mark.filterwarnings("ignore:.*does not state when its units were observed"),
]


def test_results_go_where_the_file_itself_can_hold_them(analysis, kind):
    before = analysis.read_bytes()
    path = _embed(analysis, kind)
    assert path.name == ("analysis.neurid.nwb" if kind in ELSEWHERE else "analysis.nwb")
    assert (analysis.read_bytes() == before) == (kind in ELSEWHERE)
    (found,) = read_results(path)
    assert np.isfinite(found.embeddings.vectors).all()
    population = nwb_neurid.read(analysis)
    np.testing.assert_array_equal(found.embeddings.vectors, nwb_neurid.new_model("isi").embed(population).vectors)


def test_a_second_time_in_place_of_the_first(analysis, kind):
    path = _embed(analysis, kind)
    assert _embed(analysis, kind, overwrite=True) == path
    assert len(read_results(path)) == 1


def test_a_copy_elsewhere(analysis, kind, tmp_path):
    before = analysis.read_bytes()
    path = _embed(analysis, kind, output=tmp_path / "copy.nwb")
    assert path == tmp_path / "copy.nwb"
    assert len(read_results(path)) == 1
    assert analysis.read_bytes() == before


def test_a_sidecar(analysis, tmp_path):
    before = analysis.read_bytes()
    path = embed_file(analysis, nwb_neurid.new_model("isi"), writing=WriteOptions(sidecar=True)).path
    assert (path.name, len(read_results(path))) == ("analysis.neurid.nwb", 1)
    assert analysis.read_bytes() == before


@pytest.mark.filterwarnings("ignore:.*its disk space could not be freed")  # without its specifications
def test_removing_takes_out_the_results_alone(analysis, kind):
    path = _embed(analysis, kind)
    remove(path, "neurid_isi")
    with h5py.File(analysis, "r") as file:
        link = file.get(LINKS[kind][0], getlink=True)
    if kind != "its version":  # which goes with our own specification
        assert isinstance(link, h5py.ExternalLink | h5py.SoftLink)
    with pytest.raises(nwb_neurid.NeuridError, match="holds no results"):
        read_results(path)


@pytest.mark.parametrize("kind", ["module"], indirect=False)
def test_results_in_the_other_file_are_read_and_not_removed(raw, raw_bytes, analysis, kind):
    before = raw.stat()
    embed_file(raw, nwb_neurid.new_model("isi"))
    with_results = raw.read_bytes()
    assert [found.name for found in read_results(analysis)] == ["neurid_isi"]
    with pytest.raises(CannotWrite, match=r"neurid_isi is in another file, to which .*analysis\.nwb links\. Remove"):
        remove(analysis, "neurid_isi")
    assert raw.read_bytes() == with_results
    raw.write_bytes(raw_bytes)  # as `untouched` expects it
    os.utime(raw, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("kind", ["units"], indirect=False)
def test_columns_of_linked_units_are_refused(analysis, kind):
    model = nwb_neurid.new_model("isi")
    with pytest.raises(InvalidOption, match=r"--units-columns writes into .* links to /units from raw\.nwb"):
        embed_file(analysis, model, writing=WriteOptions(units_columns=True))


@pytest.mark.parametrize("kind", ["units"], indirect=False)
def test_an_output_that_is_there(analysis, kind, tmp_path):
    output = tmp_path / "output.nwb"
    output.write_bytes(analysis.read_bytes())
    model = nwb_neurid.new_model("isi")
    with pytest.raises(CannotWrite, match=r"output\.nwb exists\. Replace it"):
        embed_file(analysis, model, writing=WriteOptions(output=output))
    with pytest.raises(CannotWrite, match=r"output\.nwb exists and is not a sidecar"):
        embed_file(analysis, model, writing=WriteOptions(output=output, overwrite=True))
    assert output.read_bytes() == analysis.read_bytes()
