"""Write many simulated animals into a folder of NWB files, with several processes."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from nwb_neurid._system.atomic import make_folders
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.simulate.animal import check_size, simulate
from nwb_neurid.simulate.fluorescence import count_frames
from nwb_neurid.simulate.nwb import check_path, write_nwb


def write_animals(
    folder: Path,
    units: int,
    duration_s: float,
    seed: int = 0,
    *,
    animals: int,
    out_of_domain: int = 0,
    regions: int = 1,
    imaging_hz: float | None = None,
    jobs: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Simulate several animals with the same seed, and write each into an NWB file in a folder.

    The files are called `animal-000.nwb`, `animal-001.nwb` and so on. The files of animals that are out of domain are
    called `outside-000.nwb`, `outside-001.nwb` and so on.

    Parameters
    ----------
    folder
        The folder to write into. It is created if it does not exist.
    units, duration_s, seed, regions
        The same as in `simulate`. All animals are simulated with the same values.
    animals
        Number of animals, counted from animal 0. The spikes of an animal do not depend on this number.
    out_of_domain
        Number of additional animals. Their drive, noise and synapses lie outside the range of the other animals.
    imaging_hz
        Frame rate in Hz. If given, fluorescence is written instead of spikes.
    jobs
        Number of processes; None for the number of cores. The files do not depend on this number.
    overwrite
        Replace existing files.
    progress
        Progress callback, called at every animal.

    Returns
    -------
    list of Path
        Paths of the files. The files of animals that are out of domain come last.

    Raises
    ------
    InvalidOption
        If a number is too small, or for the same reasons as in `simulate` and `write_nwb`.
    CannotWrite
        If a file exists and `overwrite` is False, or if writing fails. Existing files are found before any animal is
        simulated.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> [path.name for path in write_animals(Path(mkdtemp()), 7, 2.0, animals=2, jobs=1)]
    ['animal-000.nwb', 'animal-001.nwb']
    """
    for name, count, least in (("animals", animals, 1), ("animals outside the domain", out_of_domain, 0)):
        if count < least:
            raise InvalidOption(f"The number of {name} to simulate must be {least} or more, got {count}.")
    jobs = min(animals + out_of_domain, (os.cpu_count() or 1) if jobs is None else jobs)
    if jobs < 1:
        raise InvalidOption(f"The number of processes to simulate in must be 1 or more, got {jobs}.")
    check_size(units, duration_s, seed, regions, 0)
    if imaging_hz is not None:
        count_frames(duration_s, imaging_hz)
    make_folders(folder)
    which = [(animal, False) for animal in range(animals)] + [(animal, True) for animal in range(out_of_domain)]
    paths = [folder / f"{'outside' if outside else 'animal'}-{animal:03d}.nwb" for animal, outside in which]
    for path in paths:
        check_path(path, overwrite=overwrite)
    write = partial(_write, units, duration_s, seed, regions, imaging_hz, overwrite)
    own = (paths, *zip(*which, strict=True))
    if jobs == 1:
        for each in progress(zip(*own, strict=True), label="Animals", total=len(paths)):
            write(*each)
        return paths
    # Spawned, not forked: threads of the caller do not survive a fork. After an error, no other animal is begun.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool, closing(pool.map(write, *own)) as done:  # type: ignore[type-var]
        for _ in progress(done, label="Animals", total=len(paths)):
            pass
    return paths


def _write(
    units: int,
    duration_s: float,
    seed: int,
    regions: int,
    imaging_hz: float | None,
    overwrite: bool,
    path: Path,
    animal: int,
    out_of_domain: bool,
) -> None:
    """Simulate and write one animal. This is a function of the module, so that another process can import it."""
    simulation = simulate(units, duration_s, seed, regions=regions, animal=animal, out_of_domain=out_of_domain)
    write_nwb(simulation, path, imaging_hz=imaging_hz, overwrite=overwrite)
