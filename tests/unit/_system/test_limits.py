"""Limits on reading, each in a process of its own, which they may end."""

import os
import signal
import subprocess
import sys

import pytest

from nwb_neurid._system import limits

pytestmark = pytest.mark.skipif(os.name == "nt", reason="they need the timers of POSIX")

READ = """
import itertools, resource, signal, sys, time
from nwb_neurid._system import limits
from nwb_neurid.errors import UnreadableSource

def read():
    {read}

limits.CALL_S, limits.GROWTH_BYTES, limits.GROWTH_PER_BYTE = 0.5, 2**27, 1
watch = limits.share_watch()
limits.enforce(watch)
try:
    with limits.reading(sys.argv[1]):
        print("reads", watch.source.decode(), watch.wait_s, flush=True)
        read()
except UnreadableSource as error:
    print(error)
print("reads", watch.source.decode(), flush=True)
print("timers", signal.getitimer(signal.ITIMER_PROF), signal.getitimer(signal.ITIMER_REAL))
print("memory", resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)
"""


@pytest.fixture
def told(tmp_path):
    """What a process prints that reads a file of 10 bytes by these statements under limits, and how it ends."""

    def told(read, code=0):
        path = tmp_path / "recording"
        path.write_bytes(b"0123456789")
        done = subprocess.run(
            [sys.executable, "-c", READ.format(read=read), path], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.splitlines(), path

    return told


def test_what_is_read_is_told_and_no_limit_stays(told):
    lines, path = told("pass")
    assert lines == [f"reads {path} 10.00002", "reads ", "timers (0.0, 0.0) (0.0, 0.0)", "memory True"]


def test_a_call_that_does_not_come_back_ends_the_process(told):
    lines, path = told("sum(itertools.repeat(0))", code=-signal.SIGPROF)
    assert lines == [f"reads {path} 10.00002"]


@pytest.mark.parametrize(
    "healthy",
    ["time.sleep(1.5)", "stop = time.process_time() + 1.5\n    while time.process_time() < stop: sum(range(10**6))"],
    ids=["waiting for a disk", "many calls"],
)
def test_slow_reading_is_left_alone(told, healthy):
    assert told(healthy)[0][-2:] == ["timers (0.0, 0.0) (0.0, 0.0)", "memory True"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits memory")
def test_a_read_that_wants_the_memory_of_the_machine_is_refused(told):
    lines, path = told("bytearray(2**40)")
    assert lines[1:3] == [
        f"Reading {path} takes far more memory than a file of its size should need. Check the file, or download it "
        "again; if it is intact, read it in Python (nwb_neurid.read), which sets no limit.",
        "reads ",
    ]
    assert told("bytearray(2**26)")[0][1] == "reads "


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits memory")
def test_a_size_that_is_found_out_late_gives_more_memory(told):
    assert told("limits.allow(2**29)\n    bytearray(2**29)")[0][1] == "reads "


def test_beats_tell_that_our_own_code_runs(told):
    code = "beats = watch.beats\n    time.sleep(0.5)\n    print(watch.beats > beats)"
    assert told(code)[0][1] == "True"


def test_a_url_is_waited_for_by_its_own_deadlines():
    code = "from nwb_neurid._system import limits; watch = limits.share_watch(); limits.enforce(watch)\n"
    code += "with limits.reading('https://example.org/a.nwb'): print(watch.wait_s)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "inf\n"


def test_a_process_that_asked_for_no_limits_has_none():
    before = signal.getsignal(signal.SIGALRM)
    with limits.reading("recording"):
        assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
        assert signal.getsignal(signal.SIGALRM) is before


def test_sizes(tmp_path, monkeypatch):
    (tmp_path / "plane0").mkdir()
    for name in ("a", "plane0/b", "plane0/c"):
        (tmp_path / name).write_bytes(b"0123")
    assert limits.size_bytes(tmp_path) == 12
    assert limits.size_bytes(tmp_path / "a") == 4
    assert limits.size_bytes("https://example.org/recording.nwb") == 0
    monkeypatch.setattr(limits, "COUNTED_FILES", 2)
    assert limits.size_bytes(tmp_path) == limits.UNKNOWN_BYTES


def test_a_pipe_is_not_opened_to_find_its_size(tmp_path):
    os.mkfifo(tmp_path / "Fneu.npy")
    assert limits.size_bytes(tmp_path) == limits.size_bytes(tmp_path / "Fneu.npy") == 0
