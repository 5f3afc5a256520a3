"""Save the results of an extension as one file, or one Zarr object, that is replaced in one step.

SpikeInterface empties the folder of an extension, and then writes one file after another into it. If it is interrupted,
the earlier results are lost. Here, a single file holds all results. The parameters and the time of the run are stored
in it, and again beside it, where SpikeInterface looks for them.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from spikeinterface.core.core_tools import check_json, retrieve_importing_provenance
from spikeinterface.core.sortinganalyzer import AnalyzerExtension

from nwb_neurid._system.file_sets import find_file, replace_files
from nwb_neurid._system.lock import lock
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import CannotWrite, NeuridError

RESULTS = "results"
FILE = f"{RESULTS}.npz"
OF_EARLIER = ("*.npy",)  # files of version 0.1
ABOUT = "about"
DATA = "data/"
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Saved:
    """Saved results.

    Parameters
    ----------
    data
        The arrays of the extension.
    params, run_info
        The attributes of the SpikeInterface extension with these names, as JSON values.
    """

    data: Mapping[str, np.ndarray]
    params: Mapping[str, Any]
    run_info: Mapping[str, Any]


def write_saved(extension: AnalyzerExtension, saved: Saved) -> None:
    """Replace the saved results of an extension, in one step.

    Raises
    ------
    CannotWrite
        If the operating system refuses. Earlier results then stay unchanged.
    """
    try:
        if extension.format == "binary_folder":
            _write_folder(extension, saved)
        elif extension.format == "zarr":
            _write_zarr(extension, saved)
    except NeuridError:  # some are errors of the system as well
        raise
    except (OSError, KeyError) as error:  # zarr says KeyError where it cannot make a folder
        why = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise CannotWrite(
            f"{extension.extension_name} cannot be written into {extension.folder}: "
            f"{getattr(why, 'strerror', None) or why}."
        ) from error


def read_saved(extension: AnalyzerExtension) -> Saved | None:
    """Read the saved results of an extension; None if there are none, or if version 0.1 saved them as several files.

    Warns
    -----
    NeuridWarning
        If the saved results are damaged. An empty `Saved` is then returned.
    """
    packed = _read_folder(extension) if extension.format == "binary_folder" else _read_zarr(extension)
    if not packed:
        return None
    try:
        return _unpack(packed)
    except DAMAGE as error:
        warn(f"{extension.extension_name} of {extension.folder} is damaged and has to be computed again: {error}.")
        return Saved(data={}, params={}, run_info={"run_completed": False})


def _write_folder(extension: AnalyzerExtension, saved: Saved) -> None:
    folder = extension._get_binary_extension_folder()
    beside = {
        "params.json": saved.params,
        "info.json": retrieve_importing_provenance(type(extension)),
        "run_info.json": saved.run_info,
    }
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with lock(folder / FILE), replace_files(folder, FILE, own=OF_EARLIER) as made:
            (made / FILE).write_bytes(_pack(saved))
            for name, values in beside.items():
                (made / name).write_text(json.dumps(check_json(dict(values)), indent=4), encoding="utf8")
    except BaseException:
        with suppress(OSError):  # it holds earlier results
            folder.rmdir()
        raise


def _read_folder(extension: AnalyzerExtension) -> bytes | None:
    path = find_file(extension._get_binary_extension_folder(), FILE, FILE)
    return path.read_bytes() if path.is_file() else None


def _write_zarr(extension: AnalyzerExtension, saved: Saved) -> None:
    import numcodecs
    import zarr

    root = extension.sorting_analyzer._get_zarr_root(mode="r+")
    group = root["extensions"].require_group(extension.extension_name)
    if RESULTS not in group:
        group.create_dataset(RESULTS, shape=(1,), dtype=object, object_codec=numcodecs.VLenBytes(), compressor=None)
    group[RESULTS][0] = _pack(saved)  # one chunk, which the store replaces whole
    info = retrieve_importing_provenance(type(extension))
    group.attrs.update(check_json({"params": dict(saved.params), "info": info, "run_info": dict(saved.run_info)}))
    zarr.consolidate_metadata(root.store)
    if older := set(group) - {RESULTS}:
        for name in older:
            del group[name]
        zarr.consolidate_metadata(root.store)


def _read_zarr(extension: AnalyzerExtension) -> bytes | None:
    group = extension._get_zarr_extension_group(mode="r")
    found = group[RESULTS][0] if RESULTS in group else None
    return found if isinstance(found, bytes) else None


def _pack(saved: Saved) -> bytes:
    about = json.dumps(check_json({"params": dict(saved.params), "run_info": dict(saved.run_info)}))
    buffer = BytesIO()
    arrays: dict[str, Any] = {ABOUT: np.array([about]), **{f"{DATA}{name}": each for name, each in saved.data.items()}}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpack(packed: bytes) -> Saved:
    with np.load(BytesIO(packed), allow_pickle=False) as arrays:
        about = json.loads(str(arrays[ABOUT][0]))
        data = {name.removeprefix(DATA): arrays[name] for name in arrays if name.startswith(DATA)}
    return Saved(data=data, params=about["params"], run_info=about["run_info"])
