"""What label heads keep of what they promise, on simulated animals that they have not seen, and on some unlike all.

    python tests/benchmarks/labels.py --seed 1

Twelve animals to fit and calibrate, six held out, three out of the domain; `isi`, linear heads, a coverage of 0.9. Each
figure stands beside its rival: coverage beside what is promised, the expected calibration error beside that of exact
probabilities on as many units, the error of the labelled units beside that of all.
"""

from collections.abc import Sequence

import numpy as np
from _options import parse_options

from nwb_neurid import Population, Predictions, fit_labels, new_model
from nwb_neurid.labels.prediction import NOVEL
from nwb_neurid.simulate import simulate

REGIONS, BINS = 3, 15


def calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error in bins of equal width."""
    at = np.minimum((probability * BINS).astype(int), BINS - 1)
    return sum(abs(np.sum(probability[at == one] - right[at == one])) for one in range(BINS)) / len(right)


def exact_error(probability: np.ndarray) -> float:
    """The error if every probability were exactly right: so many units cannot tell better."""
    rng = np.random.default_rng(0)
    draws = [calibration_error(probability, rng.random(len(probability)) < probability) for _ in range(200)]
    return float(np.mean(draws))


def report(name: str, populations: Sequence[Population], found: Sequence[Predictions]) -> None:
    """One line: coverage, also of the worst animal, calibration, error of all and of the labelled units."""
    coverage, probability, right, named, novel = [], [], [], [], []
    for population, one in zip(populations, found, strict=True):
        seen = one.label != ""
        truth = population.labels[one.label_name]
        at = np.searchsorted(one.classes, truth)
        coverage.append(one.prediction_set[np.arange(len(at)), at][seen].mean())
        probability.append(one.probability[seen])
        right.append((one.label == truth)[seen])
        named.append(~one.abstained[seen])
        novel.append(np.char.startswith(one.reasons[seen], NOVEL))
    probability, right, named, novel = map(np.concatenate, (probability, right, named, novel))
    error = 1 - right.mean()
    own = 1 - right[named].mean() if named.any() else np.nan
    ece, exact = calibration_error(probability, right), exact_error(probability)
    print(
        f"{name}: coverage {np.mean(coverage):.3f}, {np.mean(coverage) / found[0].coverage:.2f} x what is promised "
        f"(worst animal {min(coverage):.3f}); ECE {ece:.3f}, {ece / exact:.1f} x that of exact probabilities; error of "
        f"the {named.mean():.0%} labelled {own:.3f}, {own / error if error else 1:.2f} x that of all; "
        f"{novel.mean():.1%} unlike the training",
        flush=True,
    )


def main() -> None:
    options = parse_options(
        __doc__,
        full={"fitted": 12, "held_out": 6, "outside": 3, "units": 150, "seconds": 90.0, "types": 5, "seed": 0},
        tiny={"fitted": 3, "held_out": 1, "outside": 1, "units": 30, "seconds": 10.0, "types": 1},
    )
    model = new_model("isi")

    def animals(count: int, **how: bool) -> list[Population]:
        simulations = (
            simulate(options.units, options.seconds, options.seed, regions=REGIONS, animal=animal, **how)
            for animal in range(count)
        )
        return [each.population() for each in simulations]

    inside = animals(options.fitted + options.held_out)
    training, held_out = inside[: options.fitted], inside[options.fitted :]
    outside = animals(options.outside, out_of_domain=True)
    vectors = {id(each): model.embed(each) for each in [*inside, *outside]}
    for label in ("cell_type", "brain_region"):
        fitted = fit_labels(model, training, label=label)
        for where, parts in (("held out", held_out), ("out of domain", outside)):
            for smooth in (False, True) if label == "brain_region" else (False,):
                found = [fitted.predict(vectors[id(each)], population=each, smooth=smooth) for each in parts]
                report(f"{label}, {where}{', smoothed' if smooth else ''}", parts, found)
    for name in np.unique(inside[0].labels["cell_type"]).tolist()[: options.types]:
        fitted = fit_labels(model, training, label="cell_type", map={name: ""})
        parts = [(each, fitted.predict(vectors[id(each)], population=each)) for each in held_out]
        own = np.concatenate([one.abstained[each.labels["cell_type"] == name] for each, one in parts]).mean()
        others = np.concatenate([one.abstained[each.labels["cell_type"] != name] for each, one in parts]).mean()
        print(
            f"{name} not in training: abstains on {own:.2f} of its units, {own / max(others, 1e-9):.1f} x as on the "
            "others",
            flush=True,
        )


if __name__ == "__main__":
    main()
