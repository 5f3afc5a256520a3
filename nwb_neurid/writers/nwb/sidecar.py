"""The small file beside a recording: valid by itself, with the ids of the neurons and room for results on them."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb import existing, layout
from nwb_neurid.writers.nwb.faults import cannot_write
from nwb_neurid.writers.nwb.links import locate, own_group
from nwb_neurid.writers.nwb.opening import Dataset, Group, opened

ABOUT = ("session_id", "experimenter", "institution", "lab", "experiment_description")
SUBJECT = ("subject_id", "species", "sex", "age", "description", "genotype", "strain")


def empty_sidecar(path: Path, table: str) -> bytes:
    """A sidecar of the recording at `path` without any results, made in memory: a killed process leaves nothing."""
    with opened(path) as file:
        module, ids = layout.module_path(file[table]).rpartition("/")[2], existing.unit_ids(file[table])
        about = _about(file, path)
        subject = {name: text for name in SUBJECT if (text := _text(file, f"general/subject/{name}"))}
    return _written(about, subject, module, table, ids)


def linked_place(path: Path, tables: Sequence[str]) -> str:
    """What a recording takes from another file by a link, and from which, so that it cannot hold results itself.

    Parameters
    ----------
    path
        The recording.
    tables
        Paths within it of the tables that the results are about.

    Returns
    -------
    str
        "/units from raw.nwb", for example; "" if the recording has its own tables, and its own module or none.

    Raises
    ------
    CannotWrite
        If the file cannot be read.
    """
    with cannot_write(path), opened(path) as file:
        for table in tables:
            found = file.get(table)
            module = layout.module_path(found) if isinstance(found, Group) else table
            for place in (table, module):
                if other := locate(file, place).file:
                    return f"/{place.strip('/')} from {other}"
    return ""


def check_sidecar(file: Group, named: Path) -> None:
    """Refuse a file that exists and is no sidecar.

    Raises
    ------
    CannotWrite
        If it is none.
    """
    if not any(own_group(file, f"processing/{module}/{existing.NEURONS}") for module in layout.MODULES):
        raise CannotWrite(f"{named} exists and is no sidecar of nwb-neurid. Choose another --output.")


def table_path(file: Group, table: str) -> str:
    """Where the neurons of the recording's `table` are listed in a sidecar."""
    return f"{layout.module_path(file[table])}/{existing.NEURONS}"


def _about(file: Group, path: Path) -> dict[str, Any]:
    start = _text(file, "session_start_time")
    try:
        started = datetime.fromisoformat(str(start))
    except ValueError:
        raise CannotWrite(f"{path} has no valid session_start_time, which its sidecar would need: {start!r}.") from None
    known = {name: value for name in ABOUT if (value := _text(file, f"general/{name}"))}
    identifier = _text(file, "identifier")
    return known | {
        "session_start_time": started,
        "session_description": f"Results of nwb-neurid on the recording {path.name}, identifier {identifier}.",
        "identifier": str(uuid.uuid4()),
    }


def _text(file: Group, place: str) -> str | list[str] | None:
    found = file.get(place)
    if not isinstance(found, Dataset) or h5py.check_string_dtype(found.dtype) is None:
        return None
    value = found.asstr()[()]
    return [str(each) for each in value] if isinstance(value, np.ndarray) else str(value)


def _written(
    about: dict[str, Any], subject: dict[str, Any], module: str, table: str, ids: Shaped[np.ndarray, " units"]
) -> bytes:
    from hdmf.common import DynamicTable, VectorData
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    named = VectorData(name=existing.UNIT_ID, description=f"Id in {table} of the recording, row for row.", data=ids)
    neurons = DynamicTable(
        name=existing.NEURONS,
        description=f"The neurons: the rows of {table} of the recording.",
        id=np.arange(len(ids)),  # an array: hdmf looks at every element of a list
        columns=[named],
    )
    nwbfile = NWBFile(**about, subject=Subject(**subject) if subject else None)
    nwbfile.create_processing_module(module, layout.MODULES[module]).add(neurons)
    made = h5py.File("sidecar", "w", driver="core", backing_store=False)
    with NWBHDF5IO(file=made, mode="w") as io:
        io.write(nwbfile)
        made.flush()
        return bytes(made.id.get_file_image())
