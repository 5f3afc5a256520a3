"""Make the files that later versions must be able to read, with the version that is installed.

    python tests/back_compat/make.py

Run it once for every version of ndx-neurid that is released, and keep what it makes: `<version>/ndx.nwb`,
`<version>/core.nwb` (beside another extension) and `<version>/sidecar.nwb`.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile

from nwb_neurid.results import Embeddings, Predictions, Provenance
from nwb_neurid.writers.nwb.specification import load_specification
from nwb_neurid.writers.nwb.store import write

HERE = Path(__file__).parent
OTHER = {
    "namespace": """{"namespaces": [{"doc": "Theirs.", "name": "ndx-other", "version": "0.1.0", "author": ["A"],
        "contact": ["a@b.c"], "schema": [{"namespace": "core"}, {"source": "ndx-other.extensions"}]}]}""",
    "ndx-other.extensions": """{"groups": [{"neurodata_type_def": "Other", "neurodata_type_inc": "NWBDataInterface",
        "doc": "Theirs."}]}""",
}
UNIT_IDS = np.array([30, 7, 11])
PROVENANCE = Provenance(
    encoder="nuclr",
    encoder_version="1",
    config={"dim": 4, "layers": [1, 2]},
    weights_sha256="0123abcd" * 8,
    training="three mice",
    window_s=10.0,
    stitched=True,
    notes=("Resampled to 30 Hz.",),
    source="recording.nwb",
    session_id="session",
    subject_id="mouse",
    software={"torch": "2.13.0"},
)


def embeddings() -> Embeddings:
    """Of three units, one of them silent."""
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    vectors[1] = np.nan
    return Embeddings(
        vectors=vectors,
        unit_ids=UNIT_IDS,
        n_windows=np.array([9, 0, 3], np.int32),
        stability=np.array([0.5, np.nan, np.nan], np.float32),
        reasons=np.array(["", "silent", ""]),
        provenance=PROVENANCE,
    )


def predictions() -> Predictions:
    """One is declined."""
    probabilities = np.array([[0.75, 0.25], [np.nan, np.nan], [0.5, 0.5]], np.float32)
    return Predictions(
        label_name="cell_type",
        scope="interneurons of mouse V1",
        classes=np.array(["Pvalb", "Sst"]),
        unit_ids=UNIT_IDS,
        label=np.array(["Pvalb", "", "Sst"]),
        class_probabilities=probabilities,
        prediction_set=np.array([[True, False], [False, False], [True, True]]),
        abstained=np.array([False, True, True]),
        reasons=np.array(["", "silent", "two classes are plausible"]),
        ood_score=np.array([0.25, np.nan, 3], np.float32),
        prevalence=np.array([0.5, 0.5], np.float32),
        coverage=0.9,
        provenance=PROVENANCE,
        descriptions={"Pvalb": "expresses parvalbumin"},
    )


def recording(path: Path) -> Path:
    """Three units."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    nwbfile = NWBFile(session_description="Three units.", identifier="three units", session_start_time=start)
    for unit in UNIT_IDS.tolist():
        nwbfile.add_unit(spike_times=[1.0, 2.0, 3.0], id=unit)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def main() -> None:
    folder = HERE / load_specification().version
    if folder.exists():
        sys.exit(f"{folder} exists: what a version has written is never made again.")
    folder.mkdir()
    for layout in ("ndx", "core"):
        path = recording(folder / f"{layout}.nwb")
        if layout == "core":
            with h5py.File(path, "r+") as file:
                for name, text in OTHER.items():
                    file[f"specifications/ndx-other/0.1.0/{name}"] = text
        write(path, embeddings(), [predictions()], units_columns=True)
    bare = recording(folder / "bare.nwb")
    write(bare, embeddings(), [predictions()], sidecar=True, output=folder / "sidecar.nwb")
    bare.unlink()


if __name__ == "__main__":
    main()
