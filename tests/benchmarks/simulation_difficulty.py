"""How hard the simulated types and regions are: macro F1 on animals that were not trained on, against chance.

    python tests/benchmarks/simulation_difficulty.py --seed 1

A random forest and a linear probe, on the rate alone, on `isi` and on NuCLR with random weights.
"""

from collections.abc import Callable

import numpy as np
from _options import parse_options
from _scores import LABELS, chance, forest, probe, score

from nwb_neurid import Population, new_model
from nwb_neurid.simulate import simulate

REGIONS = 3


def embed_rate(population: Population) -> np.ndarray:
    return np.log1p(population.spikes.counts())[:, None]


def embed_by(model) -> Callable[[Population], np.ndarray]:
    return lambda population: model.embed(population).vectors


def main() -> None:
    options = parse_options(
        __doc__,
        full={"train": 7, "test": 3, "outside": 3, "units": 120, "seconds": 300.0, "seed": 0},
        tiny={"train": 2, "test": 1, "outside": 1, "units": 30, "seconds": 15.0},
    )
    size = (options.units, options.seconds, options.seed)
    animals = [simulate(*size, regions=REGIONS, animal=at) for at in range(options.train + options.test)]
    animals += [simulate(*size, regions=REGIONS, animal=at, out_of_domain=True) for at in range(options.outside)]
    populations = [animal.population() for animal in animals]
    edge = options.train + options.test
    parts = [slice(options.train, edge), slice(edge, None)]
    features = {
        "rate": embed_rate,
        "isi": embed_by(new_model("isi")),
        "nuclr untrained": embed_by(new_model("nuclr", preset="small", untrained=True)),
    }
    for name, embed in features.items():
        vectors = [embed(population) for population in populations]
        for make in (forest, probe):
            for label in LABELS:
                labels = [population.labels[label] for population in populations]
                own, rivals = (score(vectors, labels, options.train, parts, each) for each in (make, chance))
                figures = [
                    f"{where} {found:.3f}, {found / rival:.1f} x chance ({rival:.3f})"
                    for where, found, rival in zip(("held out", "out of domain"), own, rivals, strict=True)
                ]
                print(f"{label} from {name}, {make.__name__}: macro F1 {'; '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
