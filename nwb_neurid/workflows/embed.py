"""The main job in steps: read, check, embed, predict, write."""

from dataclasses import dataclass, replace
from pathlib import Path

from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.labels.prediction import PredictionOptions, check_options, predict_all
from nwb_neurid.model.bundled import choose_bundled
from nwb_neurid.model.candidates import check_fits
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.model import Model, load_model
from nwb_neurid.population import Population
from nwb_neurid.readers import read_for, reader_for
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.outputs import default_name, fingerprint_of, output_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What `embed_file` did.

    Parameters
    ----------
    path
        The file that holds the results.
    embeddings, predictions
        As they were written.
    """

    path: Path
    embeddings: Embeddings
    predictions: tuple[Predictions, ...] = ()


def embed_file(
    source: str | Path,
    model: Model | None = None,
    *,
    device: str = "auto",
    options: ReadOptions | None = None,
    write: WriteOptions | None = None,
    pool_groups: bool = False,
    training: TrainingOptions | None = None,
    prediction: PredictionOptions | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Embed the units of a recording, and write the vectors and what the label heads predict beside them.

    Parameters
    ----------
    source
        The recording. An NWB file is written to unless `output` is given: whole or not at all. Results of anything
        else go into `SOURCE.neurid.nwb`, an NWB file with the units themselves.
    model
        What embeds; None for the model that ships for the activity of the recording.
    device
        What a model that ships is built for.
    options
        For the reader.
    write
        How and where the results are written. An NWB file is changed itself unless `output` names a copy; a flat table
        may go into a folder.
    training
        Train the model on the recording itself first; its vectors are then comparable within the recording alone.
    prediction
        What is asked of the label heads of the model.
    pool_groups, progress
        As for `Model.embed`.

    Raises
    ------
    NeuridError
        Whatever stands in the way; nothing was written then.
    """
    reader, asked = reader_for(source), options or ReadOptions()
    seen, population = fingerprint_of(source), None
    if model is None:
        population = read_for(None, reader, source, asked)
        model = load_model(choose_bundled(population.activity.kind), device=device)
    write = write or WriteOptions()
    place = output_for(source, replace(write, name=write.name or default_name(model.name)), seen=seen)
    if population is None:
        population = read_for(model.spec, reader, source, asked)
    place.check(population)
    check_fits(population, model)
    model = model if training is None else _fitted(model, population, training, pool_groups, progress)
    naming = prediction or PredictionOptions()
    check_options(model.heads, population, naming)
    embeddings = model.embed(population, pool_groups=pool_groups, progress=progress)
    predictions = tuple(predict_all(model.heads, embeddings, population, naming))
    path = place.write(population, embeddings, predictions)
    return Outcome(path=path, embeddings=embeddings, predictions=predictions)


def _fitted(
    model: Model, population: Population, training: TrainingOptions, pool_groups: bool, progress: Progress
) -> Model:
    model, _ = fit(model, [population], training, pool_groups=pool_groups, progress=progress)
    return replace(model, training=f"on the recording itself, comparable within it only: {model.training}")
