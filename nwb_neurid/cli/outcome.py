"""The outcome of embedding a recording, as printed text and as JSON."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nwb_neurid._system.display import count_reasons
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal

if TYPE_CHECKING:
    from nwb_neurid.results import Predictions
    from nwb_neurid.workflows.embed import Outcome


def print_outcome(out: Terminal, source: str, outcome: "Outcome") -> None:
    """Print the outcome for a recording."""
    found = collect_facts(source, outcome)
    out.say(f"{found['path']}: {found['embedded']} of {found['units']} units embedded")
    for reason, count in found["reasons"].items():
        out.say(f"  {count} without a vector: {reason}")
    if found["stitched"]:
        out.say(
            f"  Windows of {found['window_s']:g} s were stitched from shorter stretches of observed time: not "
            "comparable with published scores."
        )
    for note in found["notes"]:
        out.say(f"  {note}")
    for one in found["predictions"]:
        _report_predictions(out, one)
    for beside in found["beside"]:
        if beside["summary"]:
            out.say(f"  {beside['summary']}")
            continue
        for one in beside["predictions"]:
            _report_predictions(out, one)
    _report_place(out, source, outcome)
    provenance = outcome.embeddings.provenance
    out.detail(f"  encoder {provenance.encoder} {provenance.encoder_version}, config {dict(provenance.config)}")
    out.detail(f"  weights SHA-256 {provenance.weights_sha256 or 'none'}; {dict(provenance.software)}")


def _report_predictions(out: Terminal, found: Mapping[str, Any]) -> None:
    """Report how many units were labelled, with which classes, and why other units were not labelled."""
    why = "; ".join(f"{count} {reason}" for reason, count in found["abstained"].items())
    abstained = f", {sum(found['abstained'].values())} abstained: {why}" if why else ""
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    which = f" ({counts})" if counts else ""
    out.say(f"  {found['label']}: {found['labelled']} of {found['units']} units labelled{which}{abstained}")
    for note in found["notes"]:
        out.say(f"    {note}")


def _report_place(out: Terminal, source: str, outcome: "Outcome") -> None:
    """Report where the results are, whether the recording was changed, and how to undo the change."""
    if not outcome.tables:
        return
    *first, last = outcome.tables
    tables = f"tables {', '.join(first)} and {last}" if first else f"table {last}"
    if outcome.changed:
        out.say(f"  The results were written into the file: {tables}.")
        for name in outcome.names:
            out.say(f"  To undo it: {spell('remove', source, '--name', name)}")
    else:
        out.say(f"  The results are in the {tables}; {source} was not changed.")
    out.say(f"  To look at them: {spell('show', outcome.path)}")


def collect_facts(source: str, outcome: "Outcome") -> dict[str, Any]:
    """Collect the outcome for a recording, for printing and for JSON."""
    provenance = outcome.embeddings.provenance
    return {
        "source": source,
        "path": str(outcome.path),
        **outcome.count_units(),
        "weights_sha256": provenance.weights_sha256,
        "window_s": provenance.window_s,
        "stitched": provenance.stitched,
        "notes": list(provenance.notes),
        "predictions": [_prediction_facts(each) for each in outcome.predictions],
        "beside": [
            {
                "name": each.results.name,
                "summary": each.summary,
                "written": each.is_worth_keeping,
                "predictions": [_prediction_facts(part) for part in each.results.predictions],
            }
            for each in outcome.cell_types
        ],
    }


def _prediction_facts(predictions: "Predictions") -> dict[str, Any]:
    """Count the labelled units and the other units, with the reasons."""
    vectors = predictions.label != ""
    return {
        "label": predictions.label_name,
        "units": int(vectors.sum()),
        "labelled": int((~predictions.abstained).sum()),
        "counts": dict(Counter(predictions.label[~predictions.abstained].tolist()).most_common()),
        "abstained": count_reasons(predictions.reasons[predictions.abstained & vectors]),
        "notes": list(predictions.notes),
    }
