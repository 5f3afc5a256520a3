"""The models that ship with nwb-neurid: which there are, and which one a recording gets if nobody names one."""

from pathlib import Path

from nwb_neurid.errors import InvalidOption

FOLDER = Path(__file__).parent / "weights"
BY_ACTIVITY = {"spikes": "default-spikes", "dff": "default-calcium"}
ENCODERS = {"spikes": "neurpir", "dff": "nuclr"}
"""What they are models of."""


def located(model: str | Path) -> Path:
    """The folder of a model: as it is named, or else of the model of that name that ships."""
    return FOLDER / model if not Path(model).exists() and model in BY_ACTIVITY.values() else Path(model)


def shipped_for(activity: str) -> str:
    """The name of the model that ships for an activity.

    Raises
    ------
    InvalidOption
        If there is none.
    """
    if activity not in BY_ACTIVITY:
        raise InvalidOption(
            f"No model ships for {activity}, only for {' and '.join(BY_ACTIVITY)}. Name an encoder (--encoder) or a "
            "model (--model) that takes it."
        )
    return BY_ACTIVITY[activity]
