"""What the kernel of a tutorial runs first: commands print as they do in a terminal, and warnings name no paths."""

import subprocess
import warnings

from IPython import get_ipython


def run_commands(_: str, cell: str) -> None:
    """Run a cell of commands, and print what they print in its order, when they are done."""
    words = ["bash", "-euo", "pipefail", "-c", cell]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode:
        raise RuntimeError(f"The commands ended with code {done.returncode}.")


get_ipython().register_magic_function(run_commands, "cell", "bash")
warnings.formatwarning = lambda message, category, *_: f"{category.__name__}: {message}\n"
