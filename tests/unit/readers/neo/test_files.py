import os
import re
import struct
import sys

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.neo import FOLDER_FORMATS, FORMATS, PLUGIN, format_of
from nwb_neurid.readers.neo import files as files_of_neo

neo = pytest.importorskip("neo", reason="neo is not installed")
neo_io = pytest.importorskip("neo.io")

RATE_HZ = 1000


def read(path):
    return PLUGIN.read(path, ReadOptions())


@pytest.fixture
def nex(tmp_path):
    """Writes a NeuroExplorer file at 1 kHz of 10 s: header, then the entries of units, then their timestamps.

    `waveforms` are units once more, with waveforms of two samples.
    """

    def write(trains=None, name="recording.nex", waveforms=None):
        trains = {"unit a": [100, 300], "unit b": [], "unit c": [200]} if trains is None else trains
        variables = [*((0, *unit) for unit in trains.items()), *((3, *unit) for unit in (waveforms or {}).items())]
        header = struct.pack("<4si256sdiii260s", b"NEX1", 100, b"", RATE_HZ, 0, 10 * RATE_HZ, len(variables), b"")
        entries, data = b"", b""
        for kind, unit, times in variables:
            offset = len(header) + 208 * len(variables) + len(data)
            sampled = struct.pack("<iidddddiii", 0, 0, 0, 0, RATE_HZ, 1.0, 0, 2 if kind else 0, 0, 0)
            entry = struct.pack("<ii64sii", kind, 100, unit.encode(), offset, len(times)) + sampled
            entries += entry.ljust(208, b"\0")
            data += np.array(times, "<i4").tobytes() + np.zeros(2 * len(times) if kind else 0, "<i2").tobytes()
        path = tmp_path / name
        path.write_bytes(header + entries + data)
        return path

    return write


def test_a_file_is_read_through_neo(nex):
    path = nex()
    assert PLUGIN.recognises(path)
    population = read(str(path))
    assert [population.spikes.train_s(unit).tolist() for unit in range(3)] == [[0.1, 0.3], [], [0.2]]
    assert population.observed_s.tolist() == [[0, 10]]
    assert population.unit_ids.tolist() == ["unit a", "unit b", "unit c"]
    assert population.source == str(path)


def test_what_neo_wrote_is_read_and_stays_as_it_is(tmp_path):
    pytest.importorskip("nixio", reason="nixio is not installed")
    block = neo.Block(name="day 3")
    block.segments.append(neo.Segment())
    train = neo.SpikeTrain([100.0, 300.0], units="ms", t_stop=1000.0, name="a", cell_type="PV")
    block.segments[0].spiketrains.append(train)
    path = tmp_path / "block.nix"
    with neo_io.NixIO(str(path), "ow") as io:
        io.write_block(block)
    before = path.read_bytes()
    population = read(path)
    np.testing.assert_allclose(population.spikes.times_s, [0.1, 0.3])
    assert population.unit_ids.tolist() == ["a"]
    assert {name: values.tolist() for name, values in population.labels.items()} == {"cell_type": ["PV"]}
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted({*FORMATS.values(), *FOLDER_FORMATS.values()}))
def test_neo_has_every_class_that_is_named(name):
    assert hasattr(neo_io, name)


@pytest.mark.parametrize(("suffix", "name"), FORMATS.items())
def test_neo_knows_every_suffix_for_its_class(suffix, name):
    assert getattr(neo_io, name) in neo_io.io_by_extension[suffix.removeprefix(".")]


@pytest.mark.parametrize("pattern", FOLDER_FORMATS)
def test_folders_are_known_by_their_files(tmp_path, pattern):
    assert not PLUGIN.recognises(tmp_path)
    (tmp_path / pattern.replace("*", "1")).write_bytes(b"")
    assert PLUGIN.recognises(tmp_path)
    assert format_of(tmp_path) == FOLDER_FORMATS[pattern]


@pytest.mark.parametrize(
    "suffix", [".nwb", ".pkl", ".pickle", ".pl2", ".h5", ".mat", ".dat", ".txt", ".py", ".npy", ""]
)
def test_other_files_are_left_to_others(tmp_path, suffix):
    path = tmp_path / f"recording{suffix}"
    path.write_bytes(b"")
    assert not PLUGIN.recognises(path)


@pytest.mark.parametrize("length", [0, 3, 100, 600, 1100])
def test_damaged_files_are_refused(nex, length):
    path = nex()
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnreadableSource, match=re.escape(f"neo.io.NeuroExplorerIO cannot read {path}")):
        read(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.plx"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(UnreadableSource, match=r"neo\.io\.PlexonIO cannot read .*other\.plx: "):
        read(path)


def test_a_file_without_units_is_refused(nex):
    with pytest.raises(UnreadableSource, match=r"recording\.nex holds no spike trains"):
        read(nex(trains={}))


def test_several_recordings_in_a_file_are_refused(nex, monkeypatch):
    monkeypatch.setattr(neo_io.NeuroExplorerIO, "read", lambda _, lazy: [neo.Block(), neo.Block()])  # noqa: ARG005
    with pytest.raises(
        InvalidSource, match=r"holds 2 blocks, one recording was expected\. Read it in Python by neo\.io"
    ):
        read(nex())


def test_signals_are_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(files_of_neo, "format_of", lambda _: "ExampleIO")
    monkeypatch.setattr(neo_io.proxyobjects.AnalogSignalProxy, "load", None)
    assert len(read(tmp_path / "made.nex")) == 3


def test_without_neo_it_is_told_what_to_install(nex, monkeypatch):
    monkeypatch.setitem(sys.modules, "neo.io", None)
    with pytest.raises(UnreadableSource, match=re.escape("read through Neo. Install it: pip install neo")):
        read(nex())


NEURONS = {"sig001a": [100, 300, 500], "sig001b": [], "sig0": [200]}


@pytest.mark.parametrize(
    ("waveforms", "units"),
    [
        ({"sig001a_wf": [100, 300, 500], "sig001b_wf": []}, ["sig001a", "sig001b", "sig0"]),
        ({"sig001a_wf": [100, 300]}, ["sig001a", "sig001b", "sig0"]),
        ({"sig001a WF": [100, 300, 500]}, ["sig001a", "sig001b", "sig0"]),
        ({"sig001a-waveforms": [500]}, ["sig001a", "sig001b", "sig0"]),
        ({"sig001a_template": [100, 300, 500]}, ["sig001a", "sig001b", "sig0"]),
        ({"sig001a_wf": [100, 400]}, ["sig001a", "sig001b", "sig0", "sig001a_wf"]),
        ({"sig002a_wf": [100, 300, 500]}, ["sig001a", "sig001b", "sig0", "sig002a_wf"]),
    ],
)
def test_waveforms_of_a_neuron_are_no_second_neuron(nex, waveforms, units):
    assert read(nex(NEURONS, waveforms=waveforms)).unit_ids.tolist() == units


@pytest.mark.parametrize("beside", ["recording.nex", "recording.nev"])
def test_a_pipe_is_not_waited_for(nex, beside):
    path = nex()
    (path.parent / beside).unlink(missing_ok=True)
    os.mkfifo(path.parent / beside)
    with pytest.raises(UnreadableSource, match=rf"{beside} cannot be read: it is not a regular file"):
        read(path)


def test_units_have_the_same_ids_from_the_object_as_from_the_file(nex):
    path = nex(NEURONS, waveforms={"sig001a_wf": [100, 300, 500]})
    block = neo_io.NeuroExplorerIO(str(path)).read_block()
    assert PLUGIN.read(block, ReadOptions()).unit_ids.tolist() == read(path).unit_ids.tolist()


def test_cases_of_sorted_and_unsorted_units(shared_cases, capfd):
    with pytest.warns(NeuridWarning, match="left out 2 of 4 units: unit_classification is 'unclassified'; unit_class"):
        population = read(shared_cases / "neo_nev_unclassified_noise" / "f.nev")
    assert sorted(population.excluded) == [0, 3]
    with pytest.warns(NeuridWarning, match="left out 2 of 4 units: unsorted .unit 0 of its channel.; --where all"):
        population = read(shared_cases / "neo_plx_unsorted_progress" / "f.plx")
    assert population.excluded == dict.fromkeys([0, 2], "unsorted (unit 0 of its channel)")
    population = read(shared_cases / "neo_nex_waveforms" / "f.nex")
    assert population.unit_ids.tolist() == ["sig001a", "sig002a", "sig003a"]
    assert population.spikes.counts().tolist() == [307, 292, 308]
    assert capfd.readouterr().err == ""
