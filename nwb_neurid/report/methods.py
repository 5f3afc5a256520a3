"""A methods paragraph that can be pasted into a paper, and its references."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nwb_neurid import __version__
from nwb_neurid.population import Population
from nwb_neurid.report.encoding import clip
from nwb_neurid.report.page import read_asset
from nwb_neurid.results import UNTRAINED, Embeddings, Predictions

TSNE = "t-SNE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Further information for the paragraph, in addition to the results.

    Parameters
    ----------
    citation
        Citation of the encoder.
    projection
        Description of how vectors were projected to two dimensions.
    has_clusters
        Whether clusters were found.
    """

    citation: str
    projection: str
    has_clusters: bool = False


def write_methods(
    population: Population, embeddings: Embeddings, predictions: Sequence[Predictions], sources: Sources
) -> str:
    """Describe the analysis in sentences for a methods section."""
    about, seen = embeddings.provenance, int((embeddings.reasons == "").sum())
    what = "ROIs" if population.activity.kind != "spikes" else "sorted units"
    version = f" version {about.encoder_version}" if about.encoder_version else ""
    sentences = [
        f"We embedded {seen:,} of {len(population):,} {what} with nwb-neurid {__version__} (encoder "
        f"{about.encoder}{version}{_say_parameters(about.config)}), which gives each neuron a vector of "
        f"{embeddings.vectors.shape[1]} dimensions.",
        _say_training(about.training, about.weights_sha256),
        f"Vectors are means over windows of {about.window_s:g} s."
        if about.window_s
        else "Vectors describe the recording as a whole.",
        f"Observed time was {population.duration_s:,.0f} s." if population.duration_s else "",
        "Windows were stitched from shorter stretches of observed time." if about.stitched else "",
        *(_say_prediction(part) for part in predictions),
        f"For display, standardised vectors were projected to two dimensions with {sources.projection}"
        + (" (van der Maaten and Hinton 2008)." if sources.projection == TSNE else "."),
        "Clusters were found by HDBSCAN (Campello et al. 2013) on the first 10 principal components of standardised "
        "vectors."
        if sources.has_clusters
        else "",
        f"Versions: {', '.join(f'{name} {version}' for name, version in about.software.items())}."
        if about.software
        else "",
        f"Encoder reference: {sources.citation.rstrip('.')}." if sources.citation else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def cite(embeddings: Embeddings, predictions: Sequence[Predictions], sources: Sources) -> str:
    """Return the references of the methods paragraph as BibTeX."""
    cited = {embeddings.provenance.encoder: sources.citation}
    cited |= {
        part.provenance.encoder: str(part.provenance.config.get("citation") or "") for part in predictions
    } | cited
    known = read_asset("references.bib").strip().replace("%%VERSION%%", __version__)
    software, nwb, tsne, hdbscan = known.split("\n\n")
    entries = [software, nwb, *(_cite_text(name, text) for name, text in cited.items() if text)]
    entries += [tsne] if sources.projection == TSNE else []
    return "\n\n".join([*entries, *([hdbscan] if sources.has_clusters else [])])


def _cite_text(name: str, text: str) -> str:
    """Format a BibTeX entry for a reference that is given as text."""
    key = re.sub(r"[^A-Za-z0-9]", "", name) or "encoder"
    arxiv = re.search(r"arXiv:(\d{4}\.\d{4,5})", text)
    doi = re.search(r"10\.\d{4,9}/[^\s,;]+", text)
    found = {
        "note": clip(re.sub(r"[{}\\]", "", text)),
        "eprint": arxiv.group(1) if arxiv else "",
        "archiveprefix": "arXiv" if arxiv else "",
        "doi": doi.group().rstrip(".") if doi else "",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in found.items() if value)
    return f"@misc{{{key},\n{lines}\n}}"


def _say_parameters(config: object) -> str:
    pairs = [f"{name} = {value}" for name, value in dict(config).items()] if isinstance(config, dict) else []
    return f"; {', '.join(pairs)}" if 0 < len(pairs) <= 12 and len(", ".join(pairs)) < 400 else ""


def _say_training(training: str, sha256: str) -> str:
    if training.startswith(UNTRAINED.partition(":")[0]):
        return "The weights of the encoder were random, not trained."
    weights = f" (weights SHA-256 {sha256[:16]})" if sha256 else ""
    return f"Training of the encoder: {training.rstrip('.')}{weights}." if training else "The encoder has no weights."


def _say_prediction(part: Predictions) -> str:
    """Describe a label head in one sentence."""
    named = int((~part.abstained).sum())
    among = f" (scope: {clip(part.scope).rstrip('.')})" if part.scope else ""
    citation = part.provenance.config.get("citation")
    source = f" by {part.provenance.encoder} ({citation})" if citation else ""
    sets = f", with prediction sets at a coverage of {part.coverage:g}" if np.isfinite(part.coverage) else ""
    return (
        f"{part.label_name} was predicted among {len(part.classes)} classes{source}{among}{sets}; {named:,} of "
        f"{len(part):,} units were labelled."
    )
