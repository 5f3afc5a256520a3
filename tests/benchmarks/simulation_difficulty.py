"""How hard the simulated types and regions are: macro F1 on animals that were not trained on.

A random forest and a linear probe, on the rate alone, on `isi` and on NuCLR with random weights.
"""

import sys
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nwb_neurid import new_model
from nwb_neurid.simulate import simulate

TRAIN, TEST, OUTSIDE = 7, 3, 3
UNITS, REGIONS, DURATION_S = 120, 3, 300.0


def probe() -> object:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))


def forest() -> object:
    return RandomForestClassifier(500, class_weight="balanced", n_jobs=-1, random_state=0)


def scores(vectors: list, labels: list, classifier: Callable[[], object]) -> tuple[float, float]:
    """Macro F1 on the test animals and on those outside the domain."""
    fitted = classifier().fit(np.concatenate(vectors[:TRAIN]), np.concatenate(labels[:TRAIN]))
    parts = (slice(TRAIN, TRAIN + TEST), slice(TRAIN + TEST, None))
    return tuple(
        f1_score(np.concatenate(labels[part]), fitted.predict(np.concatenate(vectors[part])), average="macro")
        for part in parts
    )


def main(seed: int) -> None:
    animals = [simulate(UNITS, DURATION_S, seed, regions=REGIONS, animal=animal) for animal in range(TRAIN + TEST)]
    animals += [
        simulate(UNITS, DURATION_S, seed, regions=REGIONS, animal=animal, out_of_domain=True)
        for animal in range(OUTSIDE)
    ]
    populations = [animal.population() for animal in animals]
    rates = np.concatenate([np.diff(animal.splits) / DURATION_S for animal in animals[: TRAIN + TEST]])
    region = np.concatenate([animal.brain_region for animal in animals[: TRAIN + TEST]])
    medians = ", ".join(f"{np.median(rates[region == name]):.1f}" for name in np.unique(region))
    print(f"seed {seed}; median rate of each region: {medians} Hz")
    print("features, classifier           label          test   out of domain")
    features = {
        "rate": lambda population: np.log1p(population.spikes.counts())[:, None],
        "isi": lambda population: new_model("isi").embed(population).vectors,
        "nuclr untrained": lambda population: untrained.embed(population).vectors,
    }
    untrained = new_model("nuclr", preset="small", untrained=True)
    for name, of in features.items():
        vectors = [np.nan_to_num(of(population)) for population in populations]
        for classifier in (forest, probe):
            for label in ("cell_type", "brain_region"):
                labels = [population.labels[label] for population in populations]
                test, outside = scores(vectors, labels, classifier)
                print(f"{name + ', ' + classifier.__name__:30} {label:12} {test:6.3f} {outside:10.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
