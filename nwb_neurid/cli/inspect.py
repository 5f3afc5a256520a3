"""`nwb-neurid inspect`: the content of a recording, and the models and encoders that can embed it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from nwb_neurid._system.text import counted
from nwb_neurid.cli.options import argument, spell_reading, with_json, with_reading
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions

if TYPE_CHECKING:
    from nwb_neurid.population import Population, Series

LISTED_VALUES = 12


@with_json
@with_reading
def inspect(
    source: Annotated[str, argument("SOURCE", "A recording: a file, a folder or a URL.")],
    *,
    reading: ReadOptions,
    out: Terminal,
) -> None:
    """Show what is in a recording, and which models and encoders can embed it. Nothing is changed.

    $ nwb-neurid inspect recording.nwb
    """
    from nwb_neurid.contracts import is_url
    from nwb_neurid.readers import read_with, reader_for

    reader = reader_for(source)
    fetched = is_url(source)  # all behaviour would have to come over the network for a list of its names
    population = read_with(reader, source, replace(reading, covariates=False) if fetched else reading)
    found = _facts(population) | {"models": _list_models(population), "encoders": _list_encoders(population)}
    out.print_json(found)
    _report(out, found)
    if fetched:
        out.say("  behaviour and stimulus: not listed for a URL")
    elif population.covariates:
        titles = ("behaviour and stimulus", "what", "channels", "from", "to")
        out.say_table(titles, [_describe_series(*item) for item in found["covariates"].items()])
    _report_candidates(out, [source, *spell_reading(reading)], found)


def _facts(population: "Population") -> dict[str, Any]:
    """Collect the content of a recording, for printing and for JSON."""
    return {
        "source": population.source,
        "subject": population.subject_id,
        "session": population.session_id,
        "units": len(population),
        "observed_s": population.duration_s,
        "runs": len(population.runs_s()),
        "activity": _activity_facts(population),
        "excluded": dict(Counter(population.excluded.values()).most_common()),
        "groups": {} if population.group is None else _count(population.group.tolist()),
        "positions": population.positions_um is not None,
        "masks": population.masks_px is not None,
        "waveforms": _count_waveforms(population),
        "labels": {name: _count(values.tolist()) for name, values in population.labels.items()},
        "covariates": {name: _series_facts(series) for name, series in population.covariates.items()},
    }


def _count_waveforms(population: "Population") -> int:
    """Count the units with a mean waveform of known sampling rate."""
    import numpy as np

    waveforms = population.waveforms_uv
    return 0 if waveforms is None else int(np.isfinite(waveforms).any(axis=1).sum())


def _activity_facts(population: "Population") -> dict[str, Any]:
    from nwb_neurid.population import Spikes

    activity = population.activity
    if not isinstance(activity, Spikes):
        return {"kind": activity.kind, "samples": activity.values.shape[1], "rate_hz": activity.rate_hz}
    counts = activity.counts()
    return {
        "kind": activity.kind,
        "spikes": int(counts.sum()),
        "silent_units": int((counts == 0).sum()),
        "resolution_s": population.resolution_s(),
    }


def _series_facts(series: "Series") -> dict[str, Any]:
    last = series.times_s if series.stops_s is None else series.stops_s
    return {
        "kind": series.kind,
        "rows": len(series),
        "rate_hz": 1 / series.step_s if series.kind == "continuous" and series.step_s > 0 else None,
        "unit": series.unit,
        "channels": list(series.channels) or series.values.shape[1],
        "start_s": float(series.times_s[0]) if len(series) else None,
        "stop_s": float(last[-1]) if len(series) else None,
    }


def _list_encoders(population: "Population") -> dict[str, Any]:
    """List each installed encoder, with the presets that can embed the recording and the reasons why others cannot."""
    from nwb_neurid.model.candidates import list_candidates

    return {
        each.encoder: {
            "fits": bool(each.presets),
            "needs_training": bool(each.plugin and each.plugin.initial_state),
            "presets": list(each.presets),
            "problems": _group(each.problems),
        }
        for each in list_candidates(population)
    }


def _list_models(population: "Population") -> dict[str, Any]:
    """List each included model, with the reasons if it cannot embed the recording."""
    from nwb_neurid.contracts.compatibility import list_problems
    from nwb_neurid.labels.folder import read_heads
    from nwb_neurid.model.bundled import FOLDER, is_on_request, list_bundled, list_labels, read_spec
    from nwb_neurid.workflows.cell_types import explain_abstention

    specs = {name: read_spec(name) for name in list_bundled()}
    found = {name: list_problems(population, spec) for name, spec in specs.items()}
    for name in [name for name, problems in found.items() if not problems and list_labels(name)]:
        if reason := explain_abstention(population, read_heads(FOLDER / name)):
            found[name] = [f"it would abstain from every unit: {reason}"]
    return {
        name: {
            "encoder": specs[name].name,
            "fits": not reasons,
            "problems": reasons,
            "labels": list_labels(name),
            "on_request": is_on_request(name),
        }
        for name, reasons in found.items()
    }


def _group(problems: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Group presets by reason."""
    reasons = dict.fromkeys(reason for own in problems.values() for reason in own)
    return [{"reason": each, "presets": [name for name in problems if each in problems[name]]} for each in reasons]


def _report(out: Terminal, found: Mapping[str, Any]) -> None:
    activity = found["activity"]
    out.say(found["source"])
    out.say(f"  subject {found['subject'] or 'not stated'}, session {found['session'] or 'not stated'}")
    runs = counted(found["runs"], "unbroken run")
    out.say(f"  {counted(found['units'], 'unit')}, {found['observed_s']:g} s observed in {runs}")
    if activity["kind"] == "spikes":
        silent = counted(activity["silent_units"], "unit")
        out.say(f"  spikes: {activity['spikes']} in observed time, {silent} silent")
        if activity["resolution_s"]:
            out.say(f"  spike times exact to {activity['resolution_s'] * 1e3:g} ms")
    else:
        out.say(f"  {activity['kind']}: {activity['samples']} samples at {activity['rate_hz']:g} Hz")
    for reason, count in found["excluded"].items():
        out.say(f"  {counted(count, 'unit')} left out: {reason}")
    if found["groups"]:
        out.say(f"  groups: {_list_counts(found['groups'])}")
    in_pixels = "known, in pixels only" if found["masks"] else "not known"
    out.say(f"  positions: {'known' if found['positions'] else in_pixels}")
    if activity["kind"] == "spikes":
        out.say(f"  mean waveforms: {found['waveforms']} of {counted(found['units'], 'unit')}")
    for name, values in found["labels"].items():
        out.say(f"  {name}: {_list_counts(values)}")


def _report_candidates(out: Terminal, words: Sequence[str], found: Mapping[str, Any]) -> None:
    """Print the included models, the encoders, and the next step."""
    out.say("included models")
    suitable = [name for name, model in found["models"].items() if model["fits"] and not model["labels"]]
    for name, model in found["models"].items():
        default = _describe_use(name, model, suitable)
        reasons = model["problems"] or [""]
        for reason in reasons:
            out.say(f"  {name} ({model['encoder']}): {f'no, {reason}' if reason else f'yes{default}'}")
    out.say("encoders")
    for name, encoder in found["encoders"].items():
        if encoder["fits"]:
            presets = f" (presets: {', '.join(encoder['presets'])})" if len(encoder["presets"]) > 1 else ""
            out.say(f"  {name}: yes{presets}")
        for problem in [] if encoder["fits"] else encoder["problems"]:
            named = [each for each in problem["presets"] if each]
            named = named if len(encoder["presets"]) + len({*named}) > 1 else []
            presets = f" (presets: {', '.join(named)})" if named else ""
            out.say(f"  {name}: no, {problem['reason']}{presets}")
    if suitable:
        out.say(f"Embed it: {spell('embed', *words)}")
        return
    able = {name: each["needs_training"] for name, each in found["encoders"].items() if each["fits"]}
    for name in sorted(able, key=lambda name: able[name])[:1]:
        train = ["--fit"] if able[name] else []
        out.say(
            f"No included model can embed it. Choose an encoder: {spell('embed', *words, '--encoder', name, *train)}"
        )


def _describe_use(name: str, model: Mapping[str, Any], suitable: Sequence[str]) -> str:
    """Describe in which cases `embed` uses an included model."""
    if model["labels"]:
        when = f"on request (--model {name})" if model["on_request"] else "in addition to the default"
        return f", predicts {', '.join(model['labels'])} {when}"
    return ", the default for this recording" if suitable[:1] == [name] else ""


def _describe_series(name: str, series: Mapping[str, Any]) -> tuple[str, ...]:
    rows = f"{series['rate_hz']:.4g} Hz" if series["rate_hz"] else str(series["rows"])
    what = f"{series['kind']}, {rows}" + (f", in {series['unit']}" if series["unit"] else "")
    channels = series["channels"]
    listed = str(channels) if isinstance(channels, int) else ", ".join(channels[:LISTED_VALUES])
    ends = [series["start_s"], series["stop_s"]]
    return (name, what, listed, *("" if end is None else f"{end:.6g} s" for end in ends))


def _count(values: list[object]) -> dict[str, int]:
    """Count how often each value occurs, most frequent values first."""
    return dict(Counter(str(value) for value in values).most_common())


def _list_counts(counts: Mapping[str, int]) -> str:
    common = list(counts.items())
    text = ", ".join(f"{value or '(unknown)'} {count}" for value, count in common[:LISTED_VALUES])
    return text + (f", and {len(common) - LISTED_VALUES} more values" if len(common) > LISTED_VALUES else "")
