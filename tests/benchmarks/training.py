"""What training brings on simulated animals that were left out: macro F1 of a linear probe, beside chance and `isi`.

    python tests/benchmarks/training.py --encoder nuclr --preset small --steps 3200

Trains on 7 animals of 120 neurons in 3 regions over 5 minutes, fits the probe on their vectors, and scores it on 3
animals that took part in nothing.
"""

import argparse
import time

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nwb_neurid import new_model
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.model.fitting import fit
from nwb_neurid.simulate import simulate

TRAIN, TEST = 7, 3


def scores(model, populations, classifier):
    """Macro F1 on the animals left out, by label."""
    vectors = [model.embed(population).vectors for population in populations]
    found = {}
    for label in ("cell_type", "brain_region"):
        known = [np.isfinite(rows).all(axis=1) for rows in vectors]
        x = [rows[there] for rows, there in zip(vectors, known, strict=True)]
        y = [population.labels[label][there] for population, there in zip(populations, known, strict=True)]
        fitted = classifier().fit(np.concatenate(x[:TRAIN]), np.concatenate(y[:TRAIN]))
        found[label] = f1_score(np.concatenate(y[TRAIN:]), fitted.predict(np.concatenate(x[TRAIN:])), average="macro")
    return found


def linear():
    """The field's probe."""
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))


def forest():
    """What makes the most of features that are not made to be separable by planes."""
    return RandomForestClassifier(300, class_weight="balanced", random_state=0)


def main() -> None:
    """Print one line per encoder."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--encoder", default="nuclr")
    asked.add_argument("--preset", default="small")
    asked.add_argument("--steps", type=int, default=300)
    asked.add_argument("--windows", type=int, help="those of the preset by default")
    asked.add_argument("--learning-rate", type=float)
    asked.add_argument("--units", type=int, default=120)
    asked.add_argument("--seconds", type=float, default=300.0)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--no-baselines", action="store_true")
    options = asked.parse_args()
    populations = [
        simulate(options.units, options.seconds, options.seed, regions=3, animal=animal).population()
        for animal in range(TRAIN + TEST)
    ]

    def say(name, found, note=""):
        print(f"{name:34} type {found['cell_type']:.3f}  region {found['brain_region']:.3f}  {note}", flush=True)

    untrained = new_model(options.encoder, preset=options.preset, untrained=True, seed=options.seed)
    if not options.no_baselines:
        isi = new_model("isi")
        say("chance", scores(isi, populations, lambda: DummyClassifier(strategy="stratified", random_state=0)))
        say("isi, linear", scores(isi, populations, linear))
        say("isi, forest", scores(isi, populations, forest))
        say(f"{options.encoder} {options.preset}, untrained", scores(untrained, populations, linear))
    started, computed = time.monotonic(), time.process_time()
    wanted = TrainingOptions(
        steps=options.steps, seed=options.seed, windows=options.windows, learning_rate=options.learning_rate
    )
    trained, log = fit(untrained, populations[:TRAIN], wanted)
    took_s, computed_s = time.monotonic() - started, time.process_time() - computed
    took = f"{took_s:.0f} s, {computed_s:.0f} s of the processor"
    note = f"{options.steps} steps of {options.windows or 'its own'} windows, {took}, loss {log.loss[-20:].mean():.3f}"
    say(f"{options.encoder} {options.preset}, trained", scores(trained, populations, linear), note)


if __name__ == "__main__":
    main()
