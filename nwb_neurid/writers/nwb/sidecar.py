"""The sidecar: a small, valid NWB file beside a recording, with the ids of the neurons and their results."""

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import CannotWrite
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.writers.nwb import layout
from nwb_neurid.writers.nwb.existing import NEURONS, UNIT_ID, read_ids
from nwb_neurid.writers.nwb.links import find_own_group

ABOUT = ("session_id", "experimenter", "institution", "lab", "experiment_description")
SUBJECT = ("subject_id", "species", "sex", "age", "description", "genotype", "strain")


def make_sidecar(recording: Group, table: Group) -> bytes:
    """Make a sidecar without results in memory, so that a killed process leaves no file behind.

    Parameters
    ----------
    recording
        The root of the recording.
    table
        The table of neurons.
    """
    about = _read_about(recording)
    subject = {name: text for name in SUBJECT if (text := _read_text(recording, f"general/subject/{name}"))}
    return _write(about, subject, find_module(table).rpartition("/")[2], table.path, read_ids(table))


def find_module(table: Group) -> str:
    """Return the processing module for results on a table."""
    return layout.find_module(table.path, table.attribute("neurodata_type") or "")


def find_neurons(table: Group) -> str:
    """Return the path in a sidecar of the table that lists the neurons of a table of the recording."""
    return f"{find_module(table)}/{NEURONS}"


def check_sidecar(file: h5py.Group, named: Path) -> None:
    """Refuse an existing file that is not a sidecar.

    Raises
    ------
    CannotWrite
        If the file is not a sidecar.
    """
    if not any(find_own_group(file, f"processing/{module}/{NEURONS}") for module in layout.MODULES):
        raise CannotWrite(f"{named} exists and is not a sidecar of nwb-neurid. Choose another --output.")


def _read_about(recording: Group) -> dict[str, Any]:
    start = _read_text(recording, "session_start_time")
    try:
        started = datetime.fromisoformat(str(start))
    except ValueError:
        raise CannotWrite(
            f"{recording.file} has no valid session_start_time, which its sidecar would need: {start!r}."
        ) from None
    known = {name: value for name in ABOUT if (value := _read_text(recording, f"general/{name}"))}
    name, identifier = Path(recording.file).name, _read_text(recording, "identifier")
    return known | {
        "session_start_time": started,
        "session_description": f"Results of nwb-neurid on the recording {name}, identifier {identifier}.",
        "identifier": str(uuid.uuid4()),
    }


def _read_text(recording: Group, place: str) -> str:
    """Return a text. Several texts are joined. It is "" if there is none."""
    found = recording.dataset(place)
    return "; ".join(map(str, found.texts().ravel())) if found is not None and found.is_text else ""


def _write(
    about: dict[str, Any], subject: dict[str, Any], module: str, table: str, ids: Shaped[np.ndarray, " units"]
) -> bytes:
    from hdmf.common import DynamicTable, VectorData
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    named = VectorData(name=UNIT_ID, description=f"Id of the neuron in {table} of the recording.", data=ids)
    neurons = DynamicTable(
        name=NEURONS,
        description=f"The neurons: the rows of {table} of the recording.",
        id=np.arange(len(ids)),  # an array is fast; hdmf checks every element of a list
        columns=[named],
    )
    nwbfile = NWBFile(**about, subject=Subject(**subject) if subject else None)
    nwbfile.create_processing_module(module, layout.MODULES[module]).add(neurons)
    made = h5py.File("sidecar", "w", driver="core", backing_store=False)
    with NWBHDF5IO(file=made, mode="w") as io:
        io.write(nwbfile)
        made.flush()
        return bytes(made.id.get_file_image())
