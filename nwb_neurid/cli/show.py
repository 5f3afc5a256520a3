"""`nwb-neurid show`: the results that a file holds."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nwb_neurid.cli.options import ResultsName, argument, option, with_json
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.errors import NeuridError

if TYPE_CHECKING:
    from nwb_neurid.population import Population
    from nwb_neurid.results import Embeddings, Predictions
    from nwb_neurid.writers.nwb.store import Results

NEAREST = 5
"""Number of most similar units that are listed."""

KNOWN = ("cell_type", "brain_region")
"""The labels that are shown beside units."""


@with_json
def show(
    source: Annotated[
        Path, argument("SOURCE", "A file with results, or the recording (of any format) that they belong to.")
    ],
    *,
    name: ResultsName = None,
    rows: Annotated[int, option("--rows", "N", "How many units to list.", min=0)] = 5,
    out: Terminal,
) -> None:
    """Show results: which units have a vector, which are most similar, what was predicted, and by which model.

    $ nwb-neurid show recording.nwb
    """
    from nwb_neurid.writers.stored import find_results

    path, results = find_results(source, name)
    population = _read_recording(path)
    labels = {} if population is None else population.labels
    known = {label: labels[label].tolist() for label in KNOWN if label in labels}
    if path != source:
        out.say(f"The results on {source} are in {path}")
    found = [_facts(each, population, known, rows) for each in results]
    out.print_json({"source": str(source), "path": str(path), "results": found})
    for each in found:
        _report_embeddings(out, each)
        for prediction in each["predictions"]:
            _report_predictions(out, each["name"], prediction)
    for each in found:
        out.say(f"To remove them: {spell('remove', path, '--name', each['name'])}")


def _read_recording(path: Path) -> "Population | None":
    """Read the units of a file. Return None if the file cannot be read."""
    from nwb_neurid.readers import read

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(path)
    except NeuridError:
        return None


def _facts(
    results: "Results", population: "Population | None", known: Mapping[str, Sequence[str]], rows: int
) -> dict[str, Any]:
    """Collect the results with one name, for printing and for JSON."""
    embeddings = results.embeddings
    population = population if population is not None and len(population) == len(embeddings) else None
    known = {label: values for label, values in known.items() if len(values) == len(embeddings)}
    return {
        "name": results.name,
        "units": len(embeddings),
        "embedded": int((embeddings.reasons == "").sum()),
        "dim": embeddings.vectors.shape[1],
        "rows": _list_units(embeddings, known, rows),
        "clusters": _describe_clusters(embeddings, population),
        "model": _model_facts(embeddings),
        "predictions": [_prediction_facts(each, rows) for each in results.predictions],
    }


def _describe_clusters(embeddings: "Embeddings", population: "Population | None") -> list[str]:
    """Describe the clusters of the vectors, and what distinguishes each cluster. Empty if there are too few units."""
    from nwb_neurid.clusters import describe_clusters, find_clusters

    found = find_clusters(embeddings)
    if found is None:
        return []
    return [found.summary, *([] if population is None else describe_clusters(population, found))]


def _list_units(embeddings: "Embeddings", known: Mapping[str, Sequence[str]], rows: int) -> list[dict[str, Any]]:
    """List the first units. Units with a vector come first."""
    import numpy as np

    def name(row: int) -> dict[str, Any]:
        return {"unit": str(embeddings.unit_ids[row]), **{label: values[row] for label, values in known.items()}}

    return [
        {
            "row": row,
            **name(row),
            "windows": int(embeddings.n_windows[row]),
            "stability": _round(embeddings.stability[row]),
            "most_alike": [name(other) for other in embeddings.most_alike(row, NEAREST).tolist()],
            "reason": str(embeddings.reasons[row]),
        }
        for row in np.argsort(embeddings.reasons != "", kind="stable")[:rows].tolist()
    ]


def _model_facts(embeddings: "Embeddings") -> dict[str, Any]:
    provenance = embeddings.provenance
    return {
        "encoder": provenance.encoder,
        "version": provenance.encoder_version,
        "config": dict(provenance.config),
        "training": provenance.training,
        "weights_sha256": provenance.weights_sha256,
        "window_s": provenance.window_s,
        "stitched": provenance.stitched,
        "notes": list(provenance.notes),
        "software": dict(provenance.software),
    }


def _prediction_facts(predictions: "Predictions", rows: int) -> dict[str, Any]:
    return {
        "label": predictions.label_name,
        "scope": predictions.scope,
        "classes": predictions.classes.tolist(),
        "coverage": predictions.coverage,
        "units": len(predictions),
        "abstained": int(predictions.abstained.sum()),
        "notes": list(predictions.notes),
        "rows": [
            {
                "row": row,
                "unit": str(predictions.unit_ids[row]),
                "predicted": str(predictions.label[row]),
                "probability": _round(predictions.probability[row]),
                "prediction_set": predictions.classes[predictions.prediction_set[row]].tolist(),
                "reason": str(predictions.reasons[row]),
            }
            for row in range(min(rows, len(predictions)))
        ],
    }


def _round(value: float) -> float | None:
    """Round a number to six decimals. NaN becomes None, because JSON has no NaN."""
    return None if value != value else round(float(value), 6)


def _report_embeddings(out: Terminal, found: Mapping[str, Any]) -> None:
    out.say(
        f"{found['name']}: {found['embedded']} of {found['units']} units with a vector of {found['dim']} dimensions"
    )
    rows = found["rows"]
    known = [label for label in KNOWN if rows and label in rows[0]]
    titles = ("unit", *known, "windows", "stability", "most similar units, or why there is no vector")
    out.say_table(titles, [_describe_unit(row, known) for row in rows])
    if len(rows) < found["units"]:
        out.say(f"  {len(rows)} of {found['units']} units are listed; --rows N lists more")
    model = found["model"]
    for line in found["clusters"]:
        out.say(f"  {line}")
    out.say("model")
    out.say(f"  encoder {model['encoder']} {model['version']}, config {model['config']}")
    out.say(f"  training: {model['training'] or 'none needed'}")
    out.say(f"  weights SHA-256: {model['weights_sha256'] or 'none'}")
    window = f"{model['window_s']:g} s" if model["window_s"] else "the whole recording"
    out.say(f"  window: {window}{', stitched from shorter stretches' if model['stitched'] else ''}")
    for note in model["notes"]:
        out.say(f"  {note}")
    out.say(f"  software: {', '.join(f'{key} {value}' for key, value in model['software'].items())}")


def _describe_unit(row: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    alike = ", ".join(_name_unit(other, known) for other in row["most_alike"])
    stability = "-" if row["stability"] is None else f"{row['stability']:.3f}"
    return [row["unit"], *(row[label] for label in known), str(row["windows"]), stability, row["reason"] or alike]


def _name_unit(unit: Mapping[str, Any], known: Sequence[str]) -> str:
    """Name a unit by its id, with its known properties."""
    about = ", ".join(unit[label] for label in known if unit[label])
    return f"{unit['unit']} ({about})" if about else unit["unit"]


def _report_predictions(out: Terminal, name: str, found: Mapping[str, Any]) -> None:
    among = f" among {found['scope']}" if found["scope"] else ""
    out.say(f"{name}: {found['label']}{among}, {found['abstained']} of {found['units']} units abstained")
    out.say_table(
        ("unit", found["label"], "probability", "why it abstains"),
        [
            (
                row["unit"],
                row["predicted"],
                "-" if row["probability"] is None else f"{row['probability']:.2f}",
                row["reason"],
            )
            for row in found["rows"]
        ],
    )
    for note in found["notes"]:
        out.say(f"  {note}")
