"""The main workflow on a simulated recording: simulate, embed, write, score, report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nwb_neurid._system.atomic import make_folders
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.labels.probe import ProbeScore, probe
from nwb_neurid.model.making import new_model
from nwb_neurid.plots.embedding import draw_embedding, project_vectors
from nwb_neurid.readers import read
from nwb_neurid.registry import default_encoder
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import Outcome, embed_file
from nwb_neurid.workflows.report import name_report, report_outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The results of `run_demo`.

    Parameters
    ----------
    outcome
        The recording with its results.
    score
        How well the vectors separate the simulated types.
    picture
        A PNG file of the vectors, coloured by type.
    report
        The HTML report on the results.
    """

    outcome: Outcome
    score: ProbeScore
    picture: Path
    report: Path


def run_demo(
    folder: str | Path,
    *,
    encoder: str | None = None,
    units: int = 150,
    duration_s: float = 60.0,
    seed: int = 0,
    progress: Progress = silent,
) -> Demo:
    """Simulate a recording, embed its units, write the vectors into it, score and draw them.

    Parameters
    ----------
    folder
        The folder for the recording (`simulated.nwb`), the picture (`embeddings.png`) and the report. Existing files
        are replaced.
    encoder
        An installed encoder that needs no training; None for the default.
    units
        Number of simulated neurons.
    duration_s
        Duration of the recording in seconds.
    seed
        Random seed, for reproducible results.
    progress
        Progress callback for the long loops.

    Returns
    -------
    Demo
        The recording with its results, how well the vectors separate the cell types, the picture and the report.

    Raises
    ------
    CannotWrite
        If the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> made = run_demo(mkdtemp(), units=60, duration_s=20.0)
    >>> made.score.macro_f1 > made.score.chance
    True
    """
    folder = Path(folder)
    make_folders(folder)
    recording = folder / "simulated.nwb"
    simulation = simulate(units, duration_s, seed, progress)
    write_nwb(simulation, recording, overwrite=True)
    model = new_model(encoder or default_encoder("baseline"))
    outcome = embed_file(recording, model, progress=progress)
    cell_type = read(recording).labels["cell_type"]
    score = probe(outcome.embeddings.vectors, cell_type, seed=seed)
    seen = np.isfinite(outcome.embeddings.vectors).all(axis=1)
    picture = folder / "embeddings.png"
    title = f"{int(seen.sum())} simulated neurons, encoder {model.name}"
    draw_embedding(project_vectors(outcome.embeddings.vectors[seen], seed=seed), cell_type[seen], picture, title=title)
    report = report_outcome(outcome, name_report(recording), overwrite=True)
    return Demo(outcome=outcome, score=score, picture=picture, report=report)
