"""Several processes on one card: their gradient is that of one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.gpu

WORKER = Path(__file__).with_name("_worker.py")
SECONDS = 240


def start(device, folder, **environment):
    folder.mkdir()
    words = [sys.executable, str(WORKER), device.name, str(folder)]
    return subprocess.Popen(
        words, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output[-3000:]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_two_processes_on_one_card_give_the_gradient_of_one(device, tmp_path):
    """They talk through gloo: NCCL takes one process for each card. A machine's name need not be known."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    processes = [start(device, tmp_path / "alone")]
    processes += [start(device, tmp_path / f"rank{rank}", RANK=str(rank), **shared) for rank in range(2)]
    try:
        for process in processes:
            finish(process)
    finally:
        for process in processes:
            process.kill()
    for name in ("nuclr", "neurpir"):
        alone, together = (load_file(tmp_path / folder / name) for folder in ("alone", "rank0"))
        np.testing.assert_allclose(together["log.loss"], alone["log.loss"], rtol=1e-4)
        assert together["log.matched"] == alone["log.matched"]
        moments = [key for key in alone if key.endswith("exp_avg")]
        off = sum(np.square(together[key] - alone[key]).sum() for key in moments)
        assert off < 1e-6 * sum(np.square(alone[key]).sum() for key in moments)
