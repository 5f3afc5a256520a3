"""What training brings on simulated animals that were held out: macro F1 of a linear probe, against chance and `isi`.

    python tests/benchmarks/training.py --encoder nuclr --preset small --steps 3200

Trains on 7 animals of 120 neurons in 3 regions over 5 minutes, fits the probe on their vectors, and scores it on 3
animals that took part in nothing. Windows are those of the preset where they are 0, and so is the learning rate.
"""

import time

from _options import parse_options
from _scores import LABELS, chance, forest, probe, score

from nwb_neurid import new_model
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.model.fitting import fit
from nwb_neurid.simulate import simulate


def main() -> None:
    options = parse_options(
        __doc__,
        full={
            "encoder": "nuclr",
            "preset": "small",
            "steps": 300,
            "windows": 0,
            "learning_rate": 0.0,
            "train": 7,
            "test": 3,
            "units": 120,
            "seconds": 300.0,
            "seed": 0,
        },
        tiny={"steps": 3, "train": 2, "test": 1, "units": 20, "seconds": 30.0},
    )
    populations = [
        simulate(options.units, options.seconds, options.seed, regions=3, animal=animal).population()
        for animal in range(options.train + options.test)
    ]
    rivals = {}

    def report(name, model, make=probe, note=""):
        vectors = [model.embed(population).vectors for population in populations]
        figures = []
        for label in LABELS:
            labels = [population.labels[label] for population in populations]
            (own,) = score(vectors, labels, options.train, [slice(options.train, None)], make)
            beside = [f"{own / rival:.2f} x {other}" for (other, of), rival in rivals.items() if of == label]
            figures.append(", ".join([f"{label} {own:.3f}", *beside]))
            if name in ("chance", "isi"):
                rivals[name, label] = own
        print(f"{name}: macro F1 of {'; '.join(figures)}{note}", flush=True)

    isi = new_model("isi")
    untrained = new_model(options.encoder, preset=options.preset, untrained=True, seed=options.seed)
    report("chance", isi, chance)
    report("isi", isi)
    report("isi, forest", isi, forest)
    report(f"{options.encoder} {options.preset}, untrained", untrained)
    started, computed = time.monotonic(), time.process_time()
    training = TrainingOptions(
        steps=options.steps,
        seed=options.seed,
        windows=options.windows or None,
        learning_rate=options.learning_rate or None,
    )
    trained, log = fit(untrained, populations[: options.train], training)
    took_s, computed_s = time.monotonic() - started, time.process_time() - computed
    note = f"; {options.steps} steps, {took_s:.0f} s, {computed_s:.0f} s of CPU time, loss {log.loss[-20:].mean():.3f}"
    report(f"{options.encoder} {options.preset}, trained", trained, note=note)


if __name__ == "__main__":
    main()
