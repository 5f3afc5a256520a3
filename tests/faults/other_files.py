"""Small valid sources of the readers other than NWB in HDF5: folders of suite2p, SpikeInterface, phy and Zarr; Neo."""

import json
import struct

import numpy as np

RATE_HZ = 1000


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def write_suite2p(folder):
    """Two planes, one with the settings of suite2p before 1.0, one with those since."""
    rng = np.random.default_rng(0)
    settings = {"neucoeff": 0.7, "win_baseline": 2.0, "sig_baseline": 3.0, "baseline": "maximin"}
    since_1 = {
        "fs": 10.0,
        "extraction": {"neuropil_coefficient": 0.7, "neuropil_extract": True},
        "dcnv_preprocess": {"baseline": "maximin", "win_baseline": 2.0, "sig_baseline": 3.0},
    }
    for plane, count in ((0, 3), (1, 4)):
        neuropil = rng.normal(50, 1, (count, 80)).astype(np.float32)
        save(folder / f"plane{plane}" / "F.npy", 2 * neuropil + rng.exponential(5, (count, 80)).astype(np.float32))
        save(folder / f"plane{plane}" / "Fneu.npy", neuropil)
        save(folder / f"plane{plane}" / "spks.npy", rng.exponential(1, (count, 80)).astype(np.float32))
        save(folder / f"plane{plane}" / "iscell.npy", np.column_stack([np.arange(count) > 0, np.ones(count)]))
    stat = [{"iplane": 0, "med": [unit, 2], "ypix": np.arange(3)} for unit in range(3)]
    save(folder / "plane0" / "stat.npy", np.array(stat, object))
    save(folder / "plane0" / "ops.npy", np.array({"fs": 10.0, "nplanes": 2, **settings}, object))
    save(folder / "plane1" / "settings.npy", np.array(since_1, object))


def write_sorting(folder):
    """A sorting with properties as SpikeInterface saves it."""
    spikes = np.zeros(30, [("sample_index", "i8"), ("unit_index", "i8"), ("segment_index", "i8")])
    spikes["sample_index"] = np.sort(np.random.default_rng(0).integers(0, 5000, 30))
    spikes["unit_index"] = np.arange(30) % 3
    save(folder / "spikes.npy", spikes)
    write_json(
        folder / "numpysorting_info.json",
        {"sampling_frequency": float(RATE_HZ), "unit_ids": ["a", "b", "c"], "num_segments": 1},
    )
    save(folder / "properties" / "group.npy", np.array([0, 0, 1]))
    save(folder / "properties" / "quality.npy", np.array(["good", "mua", ""]))


def write_analyzer(folder):
    """An analyzer with locations of units as SpikeInterface saves it."""
    write_sorting(folder / "sorting")
    write_json(folder / "spikeinterface_info.json", {"object": "SortingAnalyzer"})
    attributes = {"num_samples": [6000], "sampling_frequency": float(RATE_HZ)}
    write_json(folder / "recording_info" / "recording_attributes.json", attributes)
    save(folder / "extensions" / "unit_locations" / "unit_locations.npy", np.arange(9.0).reshape(3, 3))


def write_phy(folder):
    """Clusters with what phy and Kilosort tell of them."""
    rng = np.random.default_rng(0)
    save(folder / "spike_times.npy", np.sort(rng.integers(0, 5000, 40)).astype(np.uint64)[:, None])
    save(folder / "spike_clusters.npy", rng.integers(0, 4, 40).astype(np.uint32))
    (folder / "params.py").write_text(f"dat_path = 'raw.bin'\nn_channels_dat = 4\nsample_rate = {RATE_HZ}.\n")
    (folder / "cluster_info.tsv").write_text(
        "cluster_id\tgroup\tsh\tdepth\n0\tgood\t0\t1.5\n1\tmua\t0\t2\n3\tgood\t1\t4\n"
    )
    (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n0\tgood\n2\tmua\n")


def write_array(folder, values, attributes=None):
    """An array in Zarr 2, in chunks of three rows."""
    from numcodecs import VLenUTF8, Zlib

    described = {"zarr_format": 2, "order": "C", "shape": list(values.shape), "fill_value": None}
    chunks, filters = [min(3, len(values)), *values.shape[1:]], [VLenUTF8()] if values.dtype.kind == "O" else []
    described |= {"chunks": chunks, "dtype": "|O" if filters else values.dtype.str}
    described |= {"compressor": Zlib().get_config(), "filters": [codec.get_config() for codec in filters] or None}
    write_json(folder / ".zarray", described)
    write_json(folder / ".zattrs", attributes or {})
    for chunk in range(-(-len(values) // 3)):
        part = np.full(chunks, "" if filters else 0, values.dtype)
        here = values[3 * chunk : 3 * chunk + 3]
        part[: len(here)] = here
        packed = filters[0].encode(part) if filters else part.tobytes()
        (folder / ".".join([str(chunk), *["0"] * (values.ndim - 1)])).write_bytes(Zlib().encode(packed))


def write_nwb_in_zarr(folder):
    """Units with electrodes as NWB in Zarr."""
    for group, attributes in (("", {"nwb_version": "2.7.0"}), ("units", {"neurodata_type": "Units"})):
        write_json(folder / group / ".zgroup", {"zarr_format": 2})
        write_json(folder / group / ".zattrs", attributes)
    units = folder / "units"
    write_array(units / "id", np.arange(4), {"neurodata_type": "ElementIdentifiers"})
    write_array(units / "spike_times", np.sort(np.random.default_rng(0).uniform(0, 50, 20)), {"resolution": 1e-3})
    write_array(units / "spike_times_index", np.array([5, 10, 15, 20], np.uint8))
    write_array(units / "cell_type", np.array(["PV", "SST", "", "PV"], object), {"zarr_dtype": "str"})
    write_array(units / "obs_intervals", np.array([[0.0, 20.0], [25.0, 50.0]] * 4))
    write_array(units / "obs_intervals_index", np.array([2, 4, 6, 8]))


def write_nex(path):
    """Three units of NeuroExplorer."""
    trains = {b"a": [100, 300, 900], b"b": [], b"c": [200, 5000]}
    header = struct.pack("<4si256sdiii260s", b"NEX1", 100, b"", RATE_HZ, 0, 10 * RATE_HZ, len(trains), b"")
    entries, data = b"", b""
    for unit, times in trains.items():
        offset = len(header) + 208 * len(trains) + len(data)
        entries += struct.pack("<ii64sii128s", 0, 100, unit, offset, len(times), b"")
        data += np.array(times, "<i4").tobytes()
    path.write_bytes(header + entries + data)


def write_f32(path):
    """Two repetitions of a stimulus, by BrainWare: times in ms after the length of each and the stimulus."""
    values = [-2, 900, 2, 1, 50, -1, 10, 20, 30, 700, -1, 15, 800]
    path.write_bytes(np.array(values, "<f4").tobytes())


# What each source is called, how it is written, what it ends in, and the options that it is read with.
SOURCES = {
    "suite2p": (write_suite2p, "", []),
    "suite2p, deconvolved": (write_suite2p, "", ["--activity", "deconvolved"]),
    "sorting": (write_sorting, "", []),
    "analyzer": (write_analyzer, "", []),
    "phy": (write_phy, "", []),
    "NWB in Zarr": (write_nwb_in_zarr, ".nwb.zarr", []),
    "NeuroExplorer": (write_nex, ".nex", []),
    "BrainWare": (write_f32, ".f32", []),
}
