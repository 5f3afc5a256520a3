"""`nwb-neurid import`."""

import json
from pathlib import Path
from typing import Annotated

from nwb_neurid.cli.completion import complete_encoders
from nwb_neurid.cli.options import OutputFolder, Overwrite, argument, option, with_terminal
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.errors import InvalidOption


@with_terminal
def import_checkpoint(
    encoder: Annotated[
        str, argument("ENCODER", "Encoder that the checkpoint belongs to.", autocompletion=complete_encoders)
    ],
    checkpoint: Annotated[Path, argument("CHECKPOINT", "Checkpoint that the original code of the method wrote.")],
    *,
    settings: Annotated[
        list[str] | None, option("--set", "KEY=VALUE", "A setting that the checkpoint lacks; may be repeated.")
    ] = None,
    output: OutputFolder,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Convert a checkpoint of a method's original code into a model folder. No code in the checkpoint is run.

    $ nwb-neurid import nuclr checkpoint.pt --output model
    """
    from nwb_neurid.model.making import import_model

    model = import_model(encoder, checkpoint, _parse_settings(settings or []))
    model.save(output, overwrite=overwrite, like=[checkpoint])
    out.say(f"{output}: encoder {model.name}, {model.encoder.dim} dimensions")
    for key, value in model.encoder.config.items():
        out.say(f"  {key} = {value}")
    out.say(f"Use it: {spell('embed', 'SOURCE', '--model', output)}")


def _parse_settings(pairs: list[str]) -> dict[str, str | int | float | bool | None]:
    """Parse `KEY=VALUE`, with the value as JSON or otherwise as text."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidOption(f"--set must be KEY=VALUE, got {pair!r}.")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings
