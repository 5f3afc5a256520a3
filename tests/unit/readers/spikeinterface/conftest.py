"""Folders of a sorting, written here array by array as SpikeInterface, phy and Kilosort write them."""

import json
import re
import warnings

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.spikeinterface import PLUGIN

SPIKE = [("sample_index", "int64"), ("unit_index", "int64"), ("segment_index", "int64")]


@pytest.fixture
def read():
    """Reads a source, of whose observed time nothing needs to be known; other warnings are errors."""

    def reading(source, **options):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* does not state how long it was recorded", NeuridWarning)
            return PLUGIN.read(source, ReadOptions(**options))

    return reading


@pytest.fixture
def refused(read):
    """Asserts that a source is refused with this error and words of its message."""

    def refusing(source, error, words, **options):
        with pytest.raises(error, match=re.escape(words)):
            read(source, **options)

    return refusing


@pytest.fixture
def trains():
    """Spike times of each unit of a population, as lists."""
    return lambda population: [population.spikes.train_s(unit).tolist() for unit in range(len(population))]


@pytest.fixture
def spike_vector():
    """Makes the spikes of a sorting from (sample, unit, segment)."""
    return lambda *spikes: np.array(list(spikes), SPIKE)


@pytest.fixture
def numpy_folder(tmp_path, spike_vector):
    """Writes a saved sorting: three units at 1 kHz, the second silent, with properties by name."""

    def write(folder=tmp_path / "sorting", spikes=None, properties=None, **info):
        (folder / "properties").mkdir(parents=True)
        spikes = spike_vector((100, 0, 0), (200, 2, 0), (300, 0, 0)) if spikes is None else spikes
        np.save(folder / "spikes.npy", spikes)
        stated = {"sampling_frequency": 1000.0, "unit_ids": ["a", "b", "c"], "num_segments": 1, **info}
        text = json.dumps({name: value for name, value in stated.items() if value is not None})
        (folder / "numpysorting_info.json").write_text(text)
        for name, values in (properties or {}).items():
            np.save(folder / "properties" / f"{name}.npy", np.array(values))
        return folder

    return write


@pytest.fixture
def analyzer_folder(tmp_path, numpy_folder):
    """Writes a saved analyzer of such a sorting, with these samples in each segment, and what it has computed."""

    def write(num_samples=(1000,), locations=None, templates=None, **sorting):
        folder = tmp_path / "analyzer"
        numpy_folder(folder / "sorting", **sorting)
        (folder / "spikeinterface_info.json").write_text('{"object": "SortingAnalyzer"}')
        (folder / "recording_info").mkdir()
        attributes = {"num_samples": num_samples, "sampling_frequency": 1000.0}
        (folder / "recording_info" / "recording_attributes.json").write_text(json.dumps(attributes))
        if locations is not None:
            (folder / "extensions" / "unit_locations").mkdir(parents=True)
            np.save(folder / "extensions" / "unit_locations" / "unit_locations.npy", np.array(locations))
        if templates is not None:
            (folder / "settings.json").write_text('{"return_in_uV": true}')
            (folder / "extensions" / "templates").mkdir(parents=True)
            np.save(folder / "extensions" / "templates" / "average.npy", np.array(templates))
        return folder

    return write


@pytest.fixture
def phy_folder(tmp_path):
    """Writes a folder of phy: clusters 2, 5 and 7 at 1 kHz, texts by the names of their files, arrays too."""

    def write(samples=(100, 200, 300, 300), clusters=(5, 2, 5, 7), params="sample_rate = 1000.\n", **files):
        folder = tmp_path / "phy"
        folder.mkdir()
        np.save(folder / "spike_times.npy", np.asarray(samples))
        np.save(folder / "spike_clusters.npy", np.asarray(clusters))
        if params is not None:
            (folder / "params.py").write_text(params)
        for name, text in files.items():
            (folder / f"{name}.tsv").write_text(text)
        return folder

    return write
