"""How NuCLR is trained."""

from nwb_neurid.training import ContrastiveLoss, Recipe

EPHYS = Recipe(loss=ContrastiveLoss, windows=128, learning_rate=5e-4, max_distance_s=30.0, warm_up=1 / 300)
CALCIUM = Recipe(loss=ContrastiveLoss, windows=16, learning_rate=1.25e-4, max_distance_s=240.0, warm_up=1 / 30)


def recipe(activity: str) -> Recipe:
    """The settings of the authors: arXiv 2512.01199 and its code (nerdslab/nuclr, commit 0fa409b).

    Their learning rate rises over the first of 300 epochs, or of 30 for calcium.
    """
    return EPHYS if activity == "spikes" else CALCIUM
