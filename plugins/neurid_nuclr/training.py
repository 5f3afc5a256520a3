"""Training settings of NuCLR."""

from dataclasses import replace

from neurid_nuclr.config import NetworkConfig
from nwb_neurid.training import ContrastiveLoss, Recipe

EPHYS = Recipe(loss=ContrastiveLoss, windows=128, learning_rate=5e-4, max_distance_s=30.0, warm_up=1 / 300)
CALCIUM = Recipe(loss=ContrastiveLoss, windows=16, learning_rate=1.25e-4, max_distance_s=240.0, warm_up=1 / 30)
AUTHORS_DIM = 256


def choose_recipe(config: NetworkConfig) -> Recipe:
    """Choose the settings of the authors: arXiv 2512.01199 and its code (nerdslab/nuclr, commit 0fa409b).

    Their learning rate rises over the first of 300 epochs (30 epochs for calcium). Networks that are narrower than
    the authors' networks are meant for CPUs. They are trained with many small steps instead (see
    `docs/project/decisions.md`).
    """
    own = EPHYS if config.activity == "spikes" else CALCIUM
    return own if config.dim >= AUTHORS_DIM else replace(own, windows=1, learning_rate=1e-3)
