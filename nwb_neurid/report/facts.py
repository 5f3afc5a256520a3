"""The content of the page on a recording and its results, as plain values for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from nwb_neurid._system.text import counted
from nwb_neurid.clusters import NONE, Clusters, describe_clusters, find_clusters
from nwb_neurid.errors import InvalidResults
from nwb_neurid.plots.confusion import ABSTAINED
from nwb_neurid.plots.embedding import project_vectors
from nwb_neurid.population import Population
from nwb_neurid.report.activity import describe_activity, measure_units
from nwb_neurid.report.encoding import clip, encode_array, encode_numbers, encode_texts, pack_flags
from nwb_neurid.report.methods import TSNE, Sources, cite, write_methods
from nwb_neurid.report.places import describe_places, measure_depth
from nwb_neurid.report.quality import compare_with_truth, list_reasons
from nwb_neurid.results import Embeddings, Predictions

NEIGHBOURS = 5
LONGEST_NOTE = 1000
MOST_FOR_TSNE = 3_000
RUNS = 500
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Further facts about a recording and its results.

    Parameters
    ----------
    name
        Name of the results.
    path
        The file that holds the results.
    summary, citation
        Summary and citation of the encoder, if it is installed.
    card
        The model card, if the model is an included model.
    """

    name: str
    path: str
    summary: str = ""
    citation: str = ""
    card: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Origins:
    """The recordings from which the units of a page come, in the form that tables of labels use.

    Parameters
    ----------
    sources
        The name of the recording of each unit.
    ids
        The id of each unit in its recording.
    rows
        The row of each unit in its recording, shape (units,).
    """

    sources: Sequence[str]
    ids: Sequence[str]
    rows: Int64[np.ndarray, " units"]

    def to_json(self) -> dict[str, Any]:
        """Collect the values for the page. Each recording is listed once."""
        names = list(dict.fromkeys(self.sources))
        at = {name: number for number, name in enumerate(names)}
        return {
            "sources": names,
            "source": [at[name] for name in self.sources],
            "ids": list(self.ids),
            "rows": self.rows.tolist(),
        }


def collect_facts(
    population: Population,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    about: About,
    measured: Mapping[str, tuple[str, Float64[np.ndarray, " units"]]] | None = None,
    origins: Origins | None = None,
) -> dict[str, Any]:
    """Collect the content of the page.

    Parameters
    ----------
    population
        The recording.
    embeddings, predictions
        One row for each unit, in the same order.
    about
        Further facts.
    measured
        Measurements of each unit with a title, by name, which replace those that are computed from its activity.
    origins
        The origins of the units if they are from several recordings; None for one recording.

    Raises
    ------
    InvalidResults
        If the results are for other units.
    """
    for rows in (len(embeddings), *map(len, predictions)):
        if rows != len(population):
            raise InvalidResults(
                f"{about.path} has results on {counted(rows, 'unit')}, the recording has {len(population)}. They "
                "belong to another recording, or this one was edited: embed it again."
            )
    clusters = find_clusters(embeddings)
    points, projection = _project(embeddings, clusters)
    sources = Sources(citation=about.citation, projection=projection, has_clusters=bool(clusters and clusters.count))
    titles = _name_predictions(predictions)
    named = [f" of {title}" if len(titles) > 1 else "" for title in titles]
    return {
        "title": clip(Path(population.source or about.path).name),
        "name": about.name,
        "kind": population.activity.kind,
        "ids": [str(unit) for unit in population.unit_ids.tolist()],
        "ids_are_numbers": population.unit_ids.dtype.kind in "iuf",
        "origins": None if origins is None else origins.to_json(),
        "recording": _describe_recording(population, embeddings, about),
        "observed": _describe_runs(population),
        "texts": _collect_texts(population, embeddings, predictions, titles, clusters),
        "numbers": _collect_numbers(population, embeddings, predictions, named, measured),
        "points": {"x": encode_numbers(points[:, 0]), "y": encode_numbers(points[:, 1]), "by": projection},
        "clusters": [] if clusters is None else [clip(line) for line in describe_clusters(population, clusters)],
        "neighbours": encode_array(find_neighbours(embeddings).astype(np.int32)),
        "places": describe_places(population),
        "activity": describe_activity(population),
        "predictions": [
            {
                **_describe_prediction(population, part, title),
                "predicted": clip(f"predicted {title}"),
                "probability": clip(f"probability{of}"),
                "why": clip(f"why no {title}"),
            }
            for part, title, of in zip(predictions, titles, named, strict=True)
        ],
        "model": _describe_model(embeddings),
        "card": about.card,
        "methods": write_methods(population, embeddings, predictions, sources),
        "bibtex": cite(embeddings, predictions, sources),
    }


def find_neighbours(embeddings: Embeddings, count: int = NEIGHBOURS) -> Int64[np.ndarray, "units nearest"]:
    """Return the rows of the nearest units of each unit, nearest first, as in `Embeddings.most_alike`.

    If there are fewer units, rows are -1.
    """
    from sklearn.neighbors import NearestNeighbors

    found = np.full((len(embeddings), count), -1)
    seen = np.flatnonzero(embeddings.reasons == "")
    near = min(count, len(seen) - 1)
    if near < 1:
        return found
    vectors = embeddings.vectors[seen].astype(np.float64)
    spread = vectors.std(axis=0)
    scaled = vectors / np.where(spread > 0, spread, 1)
    _, index = NearestNeighbors(n_neighbors=near + 1, algorithm="brute").fit(scaled).kneighbors(scaled)
    for row, own in zip(seen.tolist(), index, strict=True):
        others = seen[own]
        found[row, :near] = others[others != row][:near]
    return found


def _project(embeddings: Embeddings, clusters: Clusters | None) -> tuple[Float64[np.ndarray, "units 2"], str]:
    """Return two dimensions of the vectors, NaN for units without a vector, and the name of the projection."""
    points = np.full((len(embeddings), 2), np.nan)
    seen = embeddings.reasons == ""
    vectors = embeddings.vectors[seen]
    if 4 <= len(vectors) <= MOST_FOR_TSNE:
        points[seen] = project_vectors(vectors, seed=SEED)
        return points, TSNE
    if clusters is not None:
        return clusters.places, "PCA"
    points[seen] = np.pad(vectors[:, :2], ((0, 0), (0, max(0, 2 - vectors.shape[1]))))
    return points, "first two dimensions"


def _name_predictions(predictions: Sequence[Predictions]) -> list[str]:
    """Return the name of each prediction on the page. If several predict the same label, the encoder is added."""
    labels = [part.label_name for part in predictions]
    return [
        part.label_name if labels.count(part.label_name) == 1 else f"{part.label_name} ({part.provenance.encoder})"
        for part in predictions
    ]


def _collect_texts(
    population: Population,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    titles: Sequence[str],
    clusters: Clusters | None,
) -> list[dict[str, Any]]:
    """Collect the columns of text: labels, clusters, groups, and reasons for missing labels and vectors."""
    found: list[tuple[str, str, Sequence[object] | Shaped[np.ndarray, " units"]]] = []
    for part, title in zip(predictions, titles, strict=True):
        names = np.where(part.label == "", "", np.where(part.abstained, ABSTAINED, part.label))
        found.append((f"predicted {title}", "predicted", names))
    aliases: dict[tuple[str, ...], str] = {}
    for name, values in population.labels.items():
        key = tuple(values.tolist())
        if name in ("cell_type", "brain_region") or key not in aliases:
            aliases[key] = name
    found += [
        (name, "known", values) for name, values in population.labels.items() if aliases[tuple(values.tolist())] == name
    ]
    if clusters is not None and clusters.count:
        found.append(("cluster", "cluster", np.where(clusters.cluster == NONE, "", clusters.cluster.astype(np.str_))))
    if population.group is not None and len({*population.group.tolist()}) > 1:
        found.append(("group", "group", population.group))
    for part, title in zip(predictions, titles, strict=True):
        why = np.where(part.abstained & (embeddings.reasons == ""), part.reasons, "")
        if (why != "").any():
            found.append((f"why no {title}", "reason", why))
    if (embeddings.reasons != "").any():
        found.append(("why no vector", "reason", embeddings.reasons))
    return [
        {"name": clip(name), "role": role, **encode_texts(np.asarray(values).tolist())} for name, role, values in found
    ]


def _collect_numbers(
    population: Population,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    named: Sequence[str],
    measured: Mapping[str, tuple[str, Float64[np.ndarray, " units"]]] | None,
) -> list[dict[str, Any]]:
    """Collect the columns of numbers: probabilities first, followed by measurements of the unit and of its vector."""
    found: dict[str, tuple[str, Shaped[np.ndarray, " units"]]] = {}
    for part, of in zip(predictions, named, strict=True):
        found[f"probability{of}"] = ("Probability of the most probable class", part.probability)
        sizes = np.where((part.label == "") | np.isnan(part.coverage), np.nan, part.prediction_set.sum(axis=1))
        found[f"set size{of}"] = ("Classes in the prediction set", sizes)
        found[f"novelty{of}"] = ("How unlike the training data the unit is", part.ood_score)
    found |= measure_units(population) if measured is None else measured
    found |= measure_depth(population)
    found["stability"] = (
        "Cosine similarity of the vectors in two parts of the recording",
        embeddings.stability,
    )
    active = "Number of windows in which the unit was observed and active"
    found["windows"] = (active, embeddings.n_windows.astype(float))
    shown = {name: pair for name, pair in found.items() if len({*encode_numbers(pair[1].astype(np.float64))}) > 1}
    return [
        {"name": clip(name), "about": about, "values": encode_numbers(np.asarray(values, np.float64))}
        for name, (about, values) in shown.items()
    ]


def _describe_recording(population: Population, embeddings: Embeddings, about: About) -> list[list[str]]:
    seen = int((embeddings.reasons == "").sum())
    groups = [] if population.group is None else sorted({str(name) for name in population.group.tolist()})
    facts = {
        "Recording": population.source or about.path,
        "Results": f"{about.name} in {about.path}",
        "Subject": population.subject_id,
        "Session": population.session_id,
        "Units": f"{len(population):,}, of which {seen:,} have a vector",
        "Activity": population.activity.kind,
        "Observed time": _describe_observed(population),
        "Probes or planes": clip(", ".join(groups[:12])) if len(groups) > 1 else "",
        "Behaviour": clip(", ".join(list(population.covariates)[:12])),
        "Notes": clip(" ".join(population.notes)),
    }
    return [[name, clip(value)] for name, value in facts.items() if value]


def _describe_observed(population: Population) -> str:
    runs, seconds = len(population.runs_s()), population.duration_s
    shown = f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.3g} s"
    return f"{shown} in {counted(runs, 'run')}" if runs else ""


def _describe_runs(population: Population) -> list[list[float]]:
    """Return the runs of observed time. If there are too many to draw, the shortest gaps are closed."""
    runs = population.runs_s()
    if len(runs) > RUNS:
        gaps = runs[1:, 0] - runs[:-1, 1]
        kept = np.sort(np.argsort(-gaps, kind="stable")[: RUNS - 1])
        runs = np.column_stack([np.r_[runs[0, 0], runs[kept + 1, 0]], np.r_[runs[kept, 1], runs[-1, 1]]])
    return [[float(f"{start:.7g}"), float(f"{stop:.7g}")] for start, stop in runs.tolist()]


def _describe_prediction(population: Population, part: Predictions, title: str) -> dict[str, Any]:
    truth = population.labels.get(part.label_name)
    shares = np.nan_to_num(part.class_probabilities, nan=0.0)
    known = np.isfinite(part.class_probabilities).all(axis=1) if part.class_probabilities.shape[1] else None
    return {
        "title": clip(title),
        "label": clip(part.label_name),
        "scope": clip(part.scope, LONGEST_NOTE),
        "classes": [clip(str(name)) for name in part.classes.tolist()],
        "descriptions": [clip(part.descriptions.get(str(name), "")) for name in part.classes.tolist()],
        "prevalence": encode_numbers(part.prevalence.astype(np.float64)),
        "coverage": None if np.isnan(part.coverage) else part.coverage,
        "encoder": part.provenance.encoder,
        "most_probable": encode_texts(part.label.tolist()),
        "probabilities": encode_array(np.round(shares * 10_000).astype(np.uint16))
        if known is not None and known.any()
        else None,
        "sets": pack_flags(part.prediction_set),
        "reasons": encode_texts(part.reasons.tolist()),
        "labelled": int((~part.abstained).sum()),
        "abstained": list_reasons(part),
        "notes": [clip(note, LONGEST_NOTE) for note in part.notes],
        "truth": None if truth is None else compare_with_truth(part, truth),
    }


def _describe_model(embeddings: Embeddings) -> list[list[str]]:
    about = embeddings.provenance
    facts = {
        "Encoder": f"{about.encoder} {about.encoder_version}".strip(),
        "Dimensions": str(embeddings.vectors.shape[1]),
        "Training": about.training or "none needed",
        "Weights SHA-256": about.weights_sha256,
        "Window": f"{about.window_s:g} s" if about.window_s else "the whole recording",
        "Stitched": "Windows cross gaps in the observation: scores are not comparable with published ones."
        if about.stitched
        else "",
        "Configuration": ", ".join(f"{name} = {value}" for name, value in about.config.items()),
        "Notes": " ".join(about.notes),
        "Software": ", ".join(f"{name} {version}" for name, version in about.software.items()),
    }
    return [[name, value if len(value) < 2_000 else clip(value)] for name, value in facts.items() if value]
