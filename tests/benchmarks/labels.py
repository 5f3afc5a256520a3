"""What label heads keep of what they promise: on simulated animals that they have not seen, and on some unlike all.

Twelve animals to fit and calibrate, six left out, three out of the domain; `isi`, linear heads, a coverage of 0.9.
"""

import sys
from collections.abc import Sequence

import numpy as np

from nwb_neurid import Population, Predictions, fit_labels, new_model
from nwb_neurid.labels.prediction import NOVEL
from nwb_neurid.simulate import simulate

FITTED, LEFT_OUT, OUTSIDE = 12, 6, 3
UNITS, REGIONS, DURATION_S = 150, 3, 90.0
BINS = 15


def calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error in bins of equal width."""
    at = np.minimum((probability * BINS).astype(int), BINS - 1)
    return sum(abs(np.sum(probability[at == one] - right[at == one])) for one in range(BINS)) / len(right)


def by_chance(probability: np.ndarray) -> float:
    """What the error would be if every probability were exactly right: so many units tell no better."""
    rng = np.random.default_rng(0)
    draws = [calibration_error(probability, rng.random(len(probability)) < probability) for _ in range(200)]
    return float(np.mean(draws))


def told(name: str, populations: Sequence[Population], found: Sequence[Predictions]) -> None:
    """One line: coverage and that of the worst animal, calibration, error of all and of those that are named."""
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
    print(
        f"{name:40} {np.mean(coverage):8.3f} {min(coverage):7.3f} {calibration_error(probability, right):7.3f} "
        f"{by_chance(probability):9.3f} "
        f"{1 - right.mean():7.3f} {1 - right[named].mean():7.3f} {named.mean():7.3f} {novel.mean():7.3f}",
        flush=True,
    )


def main(seed: int) -> None:
    model = new_model("isi")
    inside = [
        simulate(UNITS, DURATION_S, seed, regions=REGIONS, animal=animal).population()
        for animal in range(FITTED + LEFT_OUT)
    ]
    outside = [
        simulate(UNITS, DURATION_S, seed, regions=REGIONS, animal=animal, out_of_domain=True).population()
        for animal in range(OUTSIDE)
    ]
    vectors = {id(each): model.embed(each) for each in [*inside, *outside]}
    print(f"seed {seed:<36}coverage   worst     ECE by chance   error  named:  share   novel")
    for label in ("cell_type", "brain_region"):
        fitted = fit_labels(model, inside[:FITTED], label=label)
        for where, parts in (("left out", inside[FITTED:]), ("out of domain", outside)):
            for smooth in (False, True) if label == "brain_region" else (False,):
                found = [fitted.predict(vectors[id(each)], population=each, smooth=smooth) for each in parts]
                told(f"{label}, {where}{', smoothed' if smooth else ''}", parts, found)
    types = np.unique(inside[0].labels["cell_type"]).tolist()
    for name in types:
        fitted = fit_labels(model, inside[:FITTED], label="cell_type", map={name: ""})
        parts = [(each, fitted.predict(vectors[id(each)], population=each)) for each in inside[FITTED:]]
        declined = [one.abstained[each.labels["cell_type"] == name] for each, one in parts]
        print(f"{name} not in training: {np.concatenate(declined).mean():.2f} of its units declined", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
