"""The whole job on recorded data, judged by PyNWB and its inspector."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import nwbinspector
import pynwb
import pytest

import nwb_neurid


@pytest.fixture(scope="module")
def sources(shared_data: Path) -> list[Path]:
    folders = ("steinmetz", "cellexplorer", "nwb")
    return sorted(path for folder in folders for path in (shared_data / folder).glob("*.nwb"))


@pytest.fixture(scope="module")
def embedded(run_once, sources, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("out")
    run_once("embed", "--encoder", "isi", *sources, "--output", folder)
    return [folder / source.name for source in sources]


def test_every_recording_embeds_in_one_call_and_validates(embedded, sources):
    assert len(embedded) == 11 + 28 + 1
    units = 0
    for number, (path, source) in enumerate(zip(embedded, sources, strict=True)):
        (result,) = nwb_neurid.read_results(path)
        with h5py.File(source) as file:
            assert result.embeddings.unit_ids.tolist() == file["units/id"][:].tolist()
        units += len(result.embeddings)
        assert number % 3 or not pynwb.validate(path=path)  # sessions of a laboratory are alike
    assert units == 10_996 + 47 + 3


def test_the_inspector_says_nothing_about_our_tables(embedded, sources):
    for path, source in list(zip(embedded, sources, strict=True))[:: len(sources) // 4]:
        before = {(found.check_function_name, found.location) for found in nwbinspector.inspect_nwbfile(source)}
        for found in nwbinspector.inspect_nwbfile(path):
            assert found.importance != nwbinspector.Importance.CRITICAL
            # Units are spared this one; our table of a recording of one unit has one row as well.
            one_unit = found.check_function_name == "check_single_row"
            assert one_unit or (found.check_function_name, found.location) in before, found


def test_pynwb_resolves_rows_to_units(embedded):
    with pynwb.NWBHDF5IO(embedded[0], "r") as io:
        nwbfile = io.read()
        table = nwbfile.processing["ecephys"]["neurid_isi_embeddings"]
        frame = table.to_dataframe(index=True)
        assert len(frame) == len(nwbfile.units)
        assert table["neuron"].table is nwbfile.units
        assert table["neuron"].data[:].tolist() == list(range(len(nwbfile.units)))


@pytest.mark.filterwarnings("ignore::nwb_neurid.NeuridWarning")
@pytest.mark.parametrize(
    ("places", "options", "encoders", "vectors"),
    [
        ("steinmetz/*Cori*14.nwb", {}, {"isi": "default", "nuclr": "small"}, 734),
        ("cellexplorer/*Allen*.nwb", {}, {"isi": "default", "nuclr": "small"}, 12),
        ("nwb/*.nwb", {}, {"isi": "default", "nuclr": "small"}, 3),
        ("kilosort/bombcell", {}, {"isi": "default", "nuclr": "small"}, 15),
        ("ophys/*.nwb", {}, {"nuclr": "small-calcium"}, 74),
        ("suite2p/hippocampy", {"rate_hz": 30.0}, {"nuclr": "small-calcium"}, 20),
        ("suite2p/pynapple", {"rate_hz": 30.0}, {"nuclr": "small-calcium"}, 20),
    ],
)
def test_every_folder_embeds(shared_data, places, options, encoders, vectors):
    populations = [nwb_neurid.read(path, **options) for path in sorted(shared_data.glob(places))]
    for encoder, preset in encoders.items():
        model = nwb_neurid.new_model(encoder, preset=preset, untrained=encoder != "isi")
        embedded = [model.embed(population) for population in populations]
        with_vector = sum(int(np.isfinite(found.vectors).all(axis=1).sum()) for found in embedded)
        without = {reason for found in embedded for reason in found.reasons.tolist() if reason}
        silent = sum(("silent" in why or "no spikes" in why) for found in embedded for why in found.reasons.tolist())
        assert with_vector + silent == vectors, without


def test_nuclr_embeds_a_session_of_short_trials(run, shared_data, tmp_path):
    source = next((shared_data / "steinmetz").glob("*Cori*2016-12-14.nwb"))
    path = Path(shutil.copy(source, tmp_path / "session.nwb"))
    path.chmod(0o644)
    said = run("embed", path, "--encoder", "nuclr", "--preset", "small", "--untrained").stdout
    assert "stitched from shorter stretches" in said
    assert nwb_neurid.read_results(path)[0].embeddings.provenance.stitched


def test_every_worm_embeds_with_the_model_that_ships(run_once, shared_data, tmp_path):
    """Whole-head imaging at 1.7 to 2.9 Hz: fluorescence, z-scored fluorescence, and dF/F."""
    sources = sorted((shared_data / "worms").glob("*.nwb"))
    assert len(sources) == 8
    run_once("embed", *sources, "--output", tmp_path)
    kinds = set()
    for source in sources:
        (result,) = nwb_neurid.read_results(tmp_path / source.name)
        assert (result.embeddings.reasons == "").all()
        assert np.median(result.embeddings.stability) > 0.3  # of 90 s in each half
        notes = " ".join(result.embeddings.provenance.notes)
        kinds.add("F0 is unknown" if "F0 is unknown" in notes else "computed" if "computed from" in notes else "dff")
    assert kinds == {"F0 is unknown", "computed", "dff"}


def test_a_kilosort_folder_gets_types_or_reasons_without_options(run_once, shared_data, tmp_path):
    path = tmp_path / "results.nwb"
    said = run_once("embed", shared_data / "kilosort" / "bombcell", "--output", path)
    assert "laid out as on Neuropixels 1.0, which samples at 30000 Hz" in said.stderr
    assert "putative cell type by CellExplorer's criterion: 5 narrow interneuron" in said.stdout
    assert "  cell_type: " in said.stdout
    for result in nwb_neurid.read_results(path):
        for part in result.predictions:
            assert ((part.reasons != "") == part.abstained).all()
            assert len(part) == 15
