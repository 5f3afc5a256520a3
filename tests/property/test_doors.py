"""Whatever door a recording comes through, an encoder gives the same vectors of it, bit for bit."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nwb_neurid
from nwb_neurid import NeuridWarning, registry
from nwb_neurid.model.making import new_model
from nwb_neurid.model.model import Model
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions

pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed")

RATE_HZ, FRAMES_HZ, DURATION_S, TRACES_S = 30_000.0, 10.0, 30.0, 60.0


@dataclass(frozen=True)
class Recording:
    """Spikes as samples of each unit, or traces, and running speed if there is any; its file, once it is asked for."""

    folder: Path
    samples: list[np.ndarray] | None = None
    traces: np.ndarray | None = None
    kind: str = "spikes"
    speed: np.ndarray | None = None

    @property
    def trains_s(self):
        return [own / RATE_HZ for own in self.samples]

    @cached_property
    def path(self):
        path = self.folder / "recording.nwb"
        with pynwb.NWBHDF5IO(path, "w") as io:
            io.write(nwbfile_of(self))
        return path


def nwbfile_of(recording):
    made = pynwb.NWBFile("a test", "doors", datetime(2020, 1, 1, tzinfo=UTC))
    if recording.speed is not None:
        series = pynwb.TimeSeries(name="speed", data=recording.speed, unit="cm/s", rate=20.0, starting_time=0.0)
        made.create_processing_module("behavior", "behaviour").add(series)
    if recording.traces is None:
        for train in recording.trains_s:
            made.add_unit(spike_times=train, obs_intervals=[[0.0, DURATION_S]])
        made.units.resolution = 1 / RATE_HZ
        return made
    from pynwb import ophys

    channel = ophys.OpticalChannel(name="channel", description="x", emission_lambda=500.0)
    plane = made.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="x",
        device=made.create_device("microscope"),
        excitation_lambda=900.0,
        indicator="GCaMP",
        location="unknown",
    )
    rois = ophys.PlaneSegmentation(name="rois", description="x", imaging_plane=plane)
    for _ in recording.traces:
        rois.add_roi(pixel_mask=[(1, 1, 1.0)])
    module = made.create_processing_module("ophys", "traces")
    module.add(ophys.ImageSegmentation(plane_segmentations=[rois]))
    container = (
        ophys.DfOverF()
        if recording.kind == "dff"
        else ophys.Fluorescence(name="Deconvolved" if recording.kind == "deconvolved" else "Fluorescence")
    )
    module.add(container)
    region = rois.create_roi_table_region(region=list(range(len(recording.traces))), description="all")
    container.create_roi_response_series(
        name="traces", data=recording.traces.T, rois=region, unit="n.a.", rate=FRAMES_HZ, starting_time=0.0
    )
    return made


def by_command(recording, model):
    table = recording.folder / "vectors.csv"
    writing = WriteOptions(output=table, format="csv", overwrite=True)
    return embed_file(recording.path, model, writing=writing).embeddings


def by_path(recording, model):
    return nwb_neurid.embed(recording.path, model=model)


def by_population(recording, model):
    return model.embed(nwb_neurid.read(recording.path))


def by_open_file(recording, model):
    with pynwb.NWBHDF5IO(recording.path, "r") as io:
        return nwb_neurid.embed(io.read(), model=model)


def by_file_in_memory(recording, model):
    return nwb_neurid.embed(nwbfile_of(recording), model=model)


def by_samples(recording, model):
    return nwb_neurid.embed(recording.samples, model=model, rate_hz=RATE_HZ, start_s=0.0, stop_s=DURATION_S)


def by_times(recording, model):
    return nwb_neurid.embed(recording.trains_s, model=model, start_s=0.0, stop_s=DURATION_S)


def by_dict(recording, model):
    units = {f"unit {row}": train for row, train in enumerate(recording.trains_s)}
    return nwb_neurid.embed(units, model=model, start_s=0.0, stop_s=DURATION_S)


def by_sorting(recording, model):
    core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")
    sorting = core.NumpySorting.from_unit_dict([dict(enumerate(recording.samples))], RATE_HZ)
    sorting.register_recording(core.NumpyRecording([np.zeros((int(DURATION_S * RATE_HZ), 1), np.int8)], RATE_HZ))
    return nwb_neurid.embed(sorting, model=model)


def by_neo(recording, model):
    neo = pytest.importorskip("neo", reason="neo is not installed")
    trains = [neo.SpikeTrain(train, units="s", t_start=0, t_stop=DURATION_S) for train in recording.trains_s]
    return nwb_neurid.embed(trains, model=model)


class Nap:
    """An object of a class that is called as one of pynapple."""

    def __init__(self, **parts):
        self.__dict__.update(parts)

    @classmethod
    def called(cls, name, **parts):
        made = type(name, (cls,), {"__module__": "pynapple.core.made"})
        if "trains" in parts:
            made.keys = lambda self: list(range(len(self.trains)))
            made.__getitem__ = lambda self, key: cls(t=self.trains[key])
        return made(**parts)


def support(stop_s):
    return Nap(values=np.array([[0.0, stop_s]]))


def by_pynapple(recording, model):
    stop_s = DURATION_S - 2e-6  # whose end is within
    return nwb_neurid.embed(Nap.called("TsGroup", trains=recording.trains_s, time_support=support(stop_s)), model=model)


def by_array(recording, model):
    return nwb_neurid.embed(recording.traces, model=model, rate_hz=FRAMES_HZ, activity=recording.kind)


def by_frame(recording, model):
    times = np.arange(recording.traces.shape[1]) / FRAMES_HZ
    frame = Nap.called("TsdFrame", t=times, values=recording.traces.T, time_support=support(times[-1]))
    return nwb_neurid.embed(frame, model=model, activity=recording.kind)


Door = Callable[[Recording, Model], nwb_neurid.Embeddings]
OF_FILES: Mapping[str, Door] = {
    "read": by_population,
    "embed": by_path,
    "open NWBFile": by_open_file,
    "NWBFile in memory": by_file_in_memory,
}
OF_SPIKES: Mapping[str, Door] = {
    "samples": by_samples,
    "times": by_times,
    "dict": by_dict,
    "SpikeInterface": by_sorting,
    "Neo": by_neo,
    "pynapple": by_pynapple,
}
OF_TRACES: Mapping[str, Door] = {"array": by_array, "pynapple": by_frame}


def models_for(kind):
    """One model of every installed encoder that takes this activity, itself or as dF/F, untrained where it learns."""
    encoders = registry.encoders()
    for name in encoders:
        plugin = encoders.load(name)
        for preset, config in plugin.presets.items():
            accepts = plugin.spec_for(config).accepts
            if preset.startswith(("base",)) or preset.endswith("cebra"):
                continue
            if kind in accepts or (kind != "spikes" and "dff" in accepts):
                yield name, new_model(name, preset=preset, untrained=plugin.initial_state is not None, device="cpu")
                break


CASES = [(kind, name) for kind in ("spikes", "dff", "fluorescence", "deconvolved") for name, _ in models_for(kind)]


@pytest.fixture(scope="module")
def model_of():
    made = {}

    def find(kind, name):
        if (kind, name) not in made:
            made.update({(kind, own): model for own, model in models_for(kind)})
        return made[kind, name]

    return find


@pytest.fixture(scope="module")
def draw(tmp_path_factory):
    """Draws recordings, each once: one file for all encoders."""
    drawn = {}

    def draw(seed, kind, *, speed):
        if (seed, kind, speed) not in drawn:
            drawn[seed, kind, speed] = draw_recording(seed, kind, tmp_path_factory.mktemp("doors"), speed=speed)
        return drawn[seed, kind, speed]

    return draw


def draw_recording(seed, kind, folder, *, speed):
    rng = np.random.default_rng(seed)
    behaviour = rng.normal(20, 5, int(20 * TRACES_S)) if speed else None
    if kind == "spikes":
        ticks = int(DURATION_S * RATE_HZ)
        samples = [np.sort(rng.choice(ticks, rng.integers(200, 900), replace=False)) for _ in range(6)]
        return Recording(folder=folder, samples=samples, speed=behaviour)
    events = rng.random((6, int(FRAMES_HZ * TRACES_S))) < 0.05
    traces = np.array([np.convolve(row, np.exp(-np.arange(30) / 8))[: row.size] for row in events])
    traces = traces + rng.normal(0, 0.05, traces.shape) + (0 if kind != "fluorescence" else 3)
    return Recording(folder=folder, traces=traces.astype(np.float32), kind=kind, speed=behaviour)


def assert_same(found, expected, door):
    np.testing.assert_array_equal(found.vectors, expected.vectors, err_msg=door)
    assert found.reasons.tolist() == expected.reasons.tolist(), door


def assert_doors_agree(recording, model, doors):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)
        expected = by_command(recording, model)
        assert np.isfinite(expected.vectors).any()
        for name, door in doors.items():
            assert_same(door(recording, model), expected, name)


@pytest.mark.parametrize(("kind", "name"), CASES, ids=["-".join(case) for case in CASES])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=2)
def test_a_recording_has_the_same_vectors_through_every_door(model_of, draw, kind, name, seed):
    recording = draw(seed, kind, speed=False)
    doors = OF_SPIKES if kind == "spikes" else OF_TRACES
    assert_doors_agree(recording, model_of(kind, name), {**OF_FILES, **doors})


@pytest.mark.parametrize(("kind", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_behaviour_is_seen_through_every_door_of_a_file(model_of, draw, kind, name):
    assert_doors_agree(draw(3, kind, speed=True), model_of(kind, name), OF_FILES)


@pytest.mark.parametrize("kind", ["spikes", "dff"])
def test_the_models_that_ship_agree_through_every_door(draw, kind):
    from nwb_neurid.model.bundled import choose_bundled

    model = nwb_neurid.load_model(choose_bundled(kind), device="cpu")
    for speed in (False, True):
        doors = {} if speed else OF_SPIKES if kind == "spikes" else OF_TRACES
        assert_doors_agree(draw(5, kind, speed=speed), model, {**OF_FILES, **doors})


def test_behaviour_that_is_not_read_is_missed(draw):
    """Without it the tests above could not tell."""
    model = nwb_neurid.load_model("default-spikes", device="cpu")
    path = draw(5, "spikes", speed=True).path
    seen, unseen = (nwb_neurid.embed(path, model=model, covariates=covariates) for covariates in (True, False))
    assert not np.array_equal(seen.vectors, unseen.vectors)
