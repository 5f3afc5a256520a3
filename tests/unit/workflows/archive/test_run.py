"""An archive over one worker, a thread of this process: each recording once, what failed at the end, nothing twice.

Recordings are embedded in that thread, and not in a process beside it (see test_apart.py), but where a test says so.
"""

import hashlib
import os
import re
import shutil
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid import new_model, read
from nwb_neurid.contracts import silent
from nwb_neurid.errors import CannotWrite, InvalidOption, NeuridWarning, SourceUnreachable
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.archive import crew as crews
from nwb_neurid.workflows.archive import plan as plans
from nwb_neurid.workflows.archive import run as runs
from nwb_neurid.workflows.archive import task as tasks
from nwb_neurid.workflows.archive.manifest import Manifest
from nwb_neurid.workflows.archive.options import EARLIER, EMBEDDED, REFUSED, SAME, ClusterOptions
from nwb_neurid.workflows.archive.run import embed_archive
from nwb_neurid.workflows.archive.task import Asked, Claimed, embed_recording, mark_results
from nwb_neurid.workflows.models import ModelChoice
from nwb_neurid.writers.dataset import read_dataset
from nwb_neurid.writers.options import Output, WriteOptions
from nwb_neurid.writers.stored import find_results

pytest.importorskip("distributed", reason="workers need nwb-neurid[cluster]")
pytest.importorskip("pyarrow", reason="datasets need nwb-neurid[parquet]")

ISI = ModelChoice(encoder="isi", device="cpu")


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with one worker, both threads of this process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return [write_nwb(simulate(5, 20.0, 0, animal=number), folder / f"{number}.nwb") for number in range(3)]


@pytest.fixture
def archive(simulated, tmp_path, monkeypatch):
    """Three recordings in the folder in which the test runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(runs, "LOOK_S", 0.05)
    monkeypatch.setattr(crews, "embed_apart", lambda asked, claimed, _: embed_recording(asked, claimed))
    return [Path(shutil.copy(path, path.name)).name for path in simulated]


def make_phy():
    """A folder of phy with two clusters; its name."""
    folder, rng = Path("sorted"), np.random.default_rng(0)
    folder.mkdir()
    np.save(folder / "spike_times.npy", np.sort(rng.integers(0, 600_000, 400)))
    np.save(folder / "spike_clusters.npy", rng.integers(0, 2, 400))
    (folder / "params.py").write_text("sample_rate = 30000.0\n")
    return folder.name


def embed_all(scheduler, sources, *, retries=1, **asked):
    """What became of each source, by its name."""
    asked = Asked(**{"model": ISI, **asked})
    reports = list(embed_archive(sources, asked, ClusterOptions(scheduler=scheduler, retries=retries)))
    assert sorted(each.source for each in reports) == sorted(set(sources))
    return {each.source: each for each in reports}


def outcomes(found):
    return {name: each.what for name, each in found.items()}


def test_vectors_are_collected_and_are_those_of_a_single_run(scheduler, archive):
    found = embed_all(scheduler, archive, dataset=Path("vectors"))
    assert outcomes(found) == dict.fromkeys(archive, EMBEDDED)
    stored = {each.population.source: each for each in read_dataset("vectors")}
    assert stored.keys() == set(archive)
    for name, each in stored.items():
        alone = new_model("isi").embed(read(name), progress=silent)
        np.testing.assert_array_equal(each.embeddings.vectors, alone.vectors)
        assert each.population.labels.keys() == read(name).labels.keys()


def test_the_next_run_does_only_what_is_missing(scheduler, archive, monkeypatch):
    embed_all(scheduler, archive[:2], dataset=Path("vectors"))
    first = {path: path.stat().st_mtime_ns for path in Path("vectors").glob("*/*.parquet")}
    found = embed_all(scheduler, archive, dataset=Path("vectors"))
    assert outcomes(found) == {archive[0]: EARLIER, archive[1]: EARLIER, archive[2]: EMBEDDED}
    assert {path: path.stat().st_mtime_ns for path in first} == first
    monkeypatch.setattr(runs, "start_cluster", None)  # nothing to do, so no workers
    assert set(outcomes(embed_all(scheduler, archive, dataset=Path("vectors"))).values()) == {EARLIER}


def test_results_that_were_removed_are_made_again(scheduler, archive):
    first = embed_all(scheduler, archive[:2], dataset=Path("vectors"))
    (Path("vectors") / first[archive[0]].path).unlink()
    found = embed_all(scheduler, archive[:2], dataset=Path("vectors"))
    assert outcomes(found) == {archive[0]: EMBEDDED, archive[1]: EARLIER}


def test_a_recording_that_changed_replaces_its_old_vectors(scheduler, archive, simulated):
    embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    shutil.copy(simulated[2], archive[0])
    assert outcomes(embed_all(scheduler, archive[:1], dataset=Path("vectors"))) == {archive[0]: EMBEDDED}
    (stored,) = read_dataset("vectors")
    assert stored.population.session_id == read(simulated[2]).session_id


def test_recordings_that_exchange_their_places_keep_their_vectors(scheduler, archive, simulated):
    embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    Path(archive[0]).rename("moved.nwb")
    shutil.copy(simulated[2], archive[0])
    assert outcomes(embed_all(scheduler, ["moved.nwb"], dataset=Path("vectors"))) == {"moved.nwb": EARLIER}
    (moved,) = read_dataset("vectors")
    assert (moved.population.source, moved.population.subject_id) == ("moved.nwb", read("moved.nwb").subject_id)
    found = embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    assert outcomes(found) == {archive[0]: EMBEDDED}
    assert len(read_dataset("vectors")) == 2
    shutil.copy("moved.nwb", archive[0])  # as it was at first, and what was there is elsewhere
    shutil.copy(simulated[2], "moved.nwb")
    both = embed_all(scheduler, [archive[0], "moved.nwb"], dataset=Path("vectors"))
    assert outcomes(both) == {archive[0]: EARLIER, "moved.nwb": EARLIER}
    assert len(read_dataset("vectors")) == 2


def test_a_recording_with_its_tables_may_be_moved(scheduler, archive):
    embed_all(scheduler, archive[:1])
    Path("sub").mkdir()
    Path(archive[0]).rename("sub/moved.nwb")
    for _ in range(2):
        found = embed_all(scheduler, ["sub/moved.nwb"])
        assert outcomes(found) == {"sub/moved.nwb": EARLIER}
        assert found["sub/moved.nwb"].path == str(Path("sub/moved.nwb").absolute())


@pytest.mark.parametrize("writing", [{"dataset": Path("vectors")}, {"writing": WriteOptions(sidecar=True)}, {}])
def test_a_recording_that_is_repaired_is_embedded_once(scheduler, archive, simulated, writing):
    Path(archive[0]).write_bytes(b"no HDF5")
    assert outcomes(embed_all(scheduler, archive[:1], **writing)) == {archive[0]: REFUSED}
    shutil.copy(simulated[0], archive[0])
    found = [outcomes(embed_all(scheduler, archive[:1], **writing))[archive[0]] for _ in range(3)]
    assert found == [EMBEDDED, EARLIER, EARLIER]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names of files are text there")
def test_names_of_any_kind(scheduler, archive):
    names = ["Mäuse \u4e2d\u6587 \U0001f42d.nwb", "n" * 250 + ".nwb", "a\nb.nwb", "-o=.nwb", os.fsdecode(b"\xff.nwb")]
    for number, name in enumerate(names):
        content = Path(archive[0]).read_bytes()
        Path(name).write_bytes(content + bytes(number))
    found = embed_all(scheduler, names, dataset=Path("vectors"))
    assert list(outcomes(found).values()).count(EMBEDDED) == 4
    assert "has a name that is no text in UTF-8" in found[names[-1]].reason
    assert sorted(each.population.source for each in read_dataset("vectors")) == sorted(names[:-1])


def test_one_file_under_several_names_is_embedded_once(scheduler, archive):
    shutil.copy(archive[0], "copy.nwb")
    Path("link.nwb").symlink_to(archive[0])
    found = embed_all(scheduler, ["copy.nwb", archive[0], "link.nwb"], dataset=Path("vectors"))
    assert outcomes(found) == {"copy.nwb": EMBEDDED, archive[0]: SAME, "link.nwb": SAME}
    assert found["link.nwb"].reason == "copy.nwb"
    assert len(read_dataset("vectors")) == 1


def test_what_fails_is_reported_and_everything_else_written(scheduler, archive):
    Path("bad.nwb").write_bytes(b"no HDF5")
    Path("copy.nwb").write_bytes(b"no HDF5")
    sources = ["bad.nwb", *archive, "gone.nwb", "copy.nwb"]
    found = embed_all(scheduler, sources, dataset=Path("vectors"))
    assert {name for name, each in found.items() if each.what == REFUSED} == {"bad.nwb", "copy.nwb", "gone.nwb"}
    assert "is not an HDF5 file" in found["bad.nwb"].reason
    assert "does not exist" in found["gone.nwb"].reason
    assert len(read_dataset("vectors")) == 3
    shutil.copy(archive[0], "bad.nwb")  # repaired: the same content as another
    assert outcomes(embed_all(scheduler, ["bad.nwb", *archive], dataset=Path("vectors")))["bad.nwb"] == EARLIER


def test_without_output_each_recording_gets_its_tables_once(scheduler, archive):
    found = embed_all(scheduler, archive)
    assert outcomes(found) == dict.fromkeys(archive, EMBEDDED)
    before = {name: Path(name).read_bytes() for name in archive}
    assert set(outcomes(embed_all(scheduler, archive)).values()) == {EARLIER}
    assert {name: Path(name).read_bytes() for name in archive} == before
    assert [len(find_results(Path(name))[1]) for name in archive] == [1, 1, 1]


def test_a_recording_that_is_as_before_its_results_is_embedded_again(scheduler, archive, simulated):
    embed_all(scheduler, archive[:1])
    shutil.copy(simulated[0], archive[0])
    assert outcomes(embed_all(scheduler, archive[:1])) == {archive[0]: EMBEDDED}
    assert len(find_results(Path(archive[0]))[1]) == 1


def test_results_of_others_are_refused_however_often_it_is_tried(scheduler, archive):
    embed_all(scheduler, archive[:1], writing=WriteOptions(name="first"))
    Path(runs.BESIDE).unlink()
    for _ in range(2):
        refused = embed_all(scheduler, archive[:1], writing=WriteOptions(name="first"))[archive[0]]
        assert refused.what == REFUSED
        assert "--overwrite" in refused.reason


@pytest.mark.parametrize("sidecar", [False, True])
def test_results_that_a_lost_worker_wrote_count(archive, sidecar):
    asked, claimed = Asked(model=ISI, writing=WriteOptions(sidecar=sidecar)), Claimed(source=archive[0], key="k")
    before = mark_results(archive[0])
    first = embed_recording(asked, claimed)
    again = embed_recording(asked, replace(claimed, before=before))  # Dask gives it to another worker
    assert (first.reason, again.reason, again.path) == ("", "", first.path)
    assert again.facts["embedded"] == first.facts["embedded"] == 5
    refused = embed_recording(asked, replace(claimed, before=mark_results(archive[0])))
    assert "--overwrite" in refused.reason


@pytest.mark.parametrize("kind", ["csv", "phy"])
def test_tables_and_reports_that_a_lost_worker_wrote_are_written_again(archive, kind):
    source = make_phy() if kind == "phy" else archive[0]
    asked = Asked(model=ISI, writing=WriteOptions(format=kind), report=True)
    claimed = Claimed(source=source, key="k", before=mark_results(source, kind))
    first = embed_recording(asked, claimed)
    assert first.reason == ""
    again = embed_recording(asked, claimed)  # Dask gives it to another worker
    assert (again.reason, again.path) == ("", first.path)
    later = replace(claimed, before=mark_results(source, kind))
    refused = embed_recording(replace(asked, report=False), later)
    assert "exists" in refused.reason
    assert "exists" in embed_recording(asked, later).reason
    Path(first.path).write_text("of somebody else", "utf-8")
    unknown = embed_recording(asked, replace(claimed, before=None))  # it failed before, and this was reported
    assert "exists" in unknown.reason
    assert Path(first.path).read_text("utf-8") == "of somebody else"


def test_a_recording_that_is_replaced_before_its_turn_is_refused_and_the_next_run_takes_it(
    scheduler, archive, simulated, monkeypatch
):
    claim = runs.Manifest.claim

    def replace_and_claim(self, entry):
        shutil.copy(simulated[2], archive[0])
        return claim(self, entry)

    monkeypatch.setattr(runs.Manifest, "claim", replace_and_claim)
    refused = embed_all(scheduler, archive[:1], dataset=Path("vectors"))[archive[0]]
    assert (refused.what, "0.nwb changed after this run had looked at it" in refused.reason) == (REFUSED, True)
    monkeypatch.setattr(runs.Manifest, "claim", claim)
    assert outcomes(embed_all(scheduler, archive[:1], dataset=Path("vectors"))) == {archive[0]: EMBEDDED}


def test_vectors_of_a_recording_that_is_replaced_meanwhile_are_not_kept(scheduler, archive, simulated, monkeypatch):
    embed_file = tasks.embed_file

    def embed_and_replace(source, *words, **given):
        found = embed_file(source, *words, **given)
        shutil.copy(simulated[2], source)
        return found

    monkeypatch.setattr(tasks, "embed_file", embed_and_replace)
    refused = embed_all(scheduler, archive[:1], dataset=Path("vectors"))[archive[0]]
    assert "0.nwb changed after this run had looked at it" in refused.reason
    assert not list(Path("vectors").glob("*/*.parquet"))


def test_the_time_limit_reaches_the_worker(scheduler, archive, monkeypatch):
    monkeypatch.setattr(crews, "embed_apart", lambda *given: tasks.Answer(reason=f"limit {given[-1]}"))
    cluster = ClusterOptions(scheduler=scheduler, time_limit="2h")
    (found,) = embed_archive(archive[:1], Asked(model=ISI, dataset=Path("vectors")), cluster)
    assert (found.what, found.reason) == (REFUSED, "limit 7200.0")


def test_what_may_pass_is_tried_again_and_what_is_refused_is_not(scheduler, archive, monkeypatch):
    tried = []

    def embed_file(source, *_, **__):
        tried.append(source)
        raise SourceUnreachable(f"{source}: no answer") if source == "0.nwb" else InvalidOption(f"{source}: no")

    monkeypatch.setattr(tasks, "embed_file", embed_file)
    found = embed_all(scheduler, archive[:2], retries=2, dataset=Path("vectors"))
    assert found["0.nwb"].reason == "0.nwb: no answer (tried 3 times)"
    assert found["1.nwb"].reason == "1.nwb: no"
    assert sorted(tried) == ["0.nwb"] * 3 + ["1.nwb"]


def test_a_full_disk_is_a_failure_of_one_recording(scheduler, archive, monkeypatch):
    def write(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tasks, "choose_part", lambda *_: Output(write=write))
    found = embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    assert found[archive[0]].reason == "0.nwb: No space left on device."


def test_a_fault_of_ours_is_a_failure_of_one_recording(scheduler, archive, monkeypatch):
    monkeypatch.setattr(tasks, "embed_file", lambda *_, **__: 1 / 0)
    found = embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    assert "unexpected ZeroDivisionError: division by zero. This is a bug in nwb-neurid" in found["0.nwb"].reason


def test_warnings_of_workers_are_those_of_the_run(scheduler, archive, monkeypatch):
    def embed_file(*_, **__):
        tasks.warnings.warn("doubtful", NeuridWarning, stacklevel=1)
        raise InvalidOption("0.nwb: no")

    monkeypatch.setattr(tasks, "embed_file", embed_file)
    with pytest.warns(NeuridWarning, match="doubtful"):
        embed_all(scheduler, archive[:1], dataset=Path("vectors"))


def test_two_runs_at_once_share_the_work(scheduler, archive):
    found = {}

    def run(name):
        found[name] = embed_all(scheduler, archive, dataset=Path("vectors"))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in archive:
        assert sorted(each[name].what for each in found.values()) == [EMBEDDED, EARLIER]
    assert len(read_dataset("vectors")) == 3


def test_one_dataset_holds_one_model(scheduler, archive):
    embed_all(scheduler, archive[:1], dataset=Path("vectors"))
    with pytest.raises(CannotWrite, match="holds vectors that were made with another model or other options"):
        embed_all(scheduler, archive[:1], dataset=Path("vectors"), criteria="none")


def test_what_cannot_begin_is_one_line(archive, monkeypatch):
    monkeypatch.setattr("nwb_neurid.workflows.archive.cluster.CONNECT_S", 0.2)
    with pytest.raises(InvalidOption, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        embed_all("tcp://127.0.0.1:9", archive)
    with pytest.raises(InvalidOption, match="the manifest is in the output folder"):
        list(embed_archive(archive, Asked(dataset=Path("v")), ClusterOptions(workers=1, manifest=Path("m"))))
    with pytest.raises(InvalidOption, match="device must be one of"):
        list(embed_archive(archive, Asked(model=ModelChoice(device="tpu")), ClusterOptions(workers=1)))
    with pytest.raises(InvalidOption, match="--memory must be an amount such as 8GB, got 'much'"):
        list(embed_archive(archive, Asked(model=ISI), ClusterOptions(workers=1, memory="much")))
    for time_limit in ("soon", "2", "0s", "-1h"):
        with pytest.raises(InvalidOption, match="--time-limit must be a time such as 2h or 90m, got"):
            list(embed_archive(archive, Asked(model=ISI), ClusterOptions(workers=1, time_limit=time_limit)))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidOption, match="--slurm submits jobs with sbatch, which this machine does not have"):
        list(embed_archive(archive, Asked(model=ISI), ClusterOptions(workers=1, slurm=True)))


def test_a_worker_with_another_model_refuses(archive):
    asked = Asked(model=ISI, model_digest="other", dataset=Path("v"))
    answer = embed_recording(asked, Claimed(source=archive[0], key="k"))
    assert "A worker found another model under isi, or has another version of nwb-neurid" in answer.reason


def test_a_worker_that_does_not_see_the_folder_says_so(archive):
    answer = embed_recording(Asked(model=ISI, folder="/not/here"), Claimed(source=archive[0], key="k"))
    assert "A worker cannot find the folder /not/here" in answer.reason


class Ranges(BaseHTTPRequestHandler):
    """Serves parts of one file under every name, with the mark of its content."""

    def do_GET(self):
        data = self.server.data
        first, last = (int(end) for end in re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        part = data[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_):
        pass


def test_one_object_at_two_urls_is_embedded_once(scheduler, archive, monkeypatch):
    pytest.importorskip("remfile", reason="remote files need nwb-neurid[remote]")
    pytest.importorskip("boto3", reason="remote files need nwb-neurid[remote]")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        server.data = Path(archive[0]).read_bytes()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        urls = [f"http://127.0.0.1:{server.server_port}/{name}.nwb" for name in ("a", "b")]
        found = embed_all(scheduler, urls, dataset=Path("vectors"))
        server.shutdown()
        thread.join()
    assert outcomes(found) == {urls[0]: EMBEDDED, urls[1]: SAME}
    (stored,) = read_dataset("vectors")
    alone = new_model("isi").embed(read(archive[0]), progress=silent)
    np.testing.assert_array_equal(stored.embeddings.vectors, alone.vectors)


def test_a_server_that_gives_no_answer_is_asked_again(archive, tmp_path, monkeypatch):
    asked = []

    def take(source):
        asked.append(source)
        if len(asked) < 3:
            raise SourceUnreachable("no answer")
        return "url 1"

    monkeypatch.setattr(plans, "take_source_digest", take)
    monkeypatch.setattr(plans, "WAITS_S", (0.0, 0.0))
    manifest = Manifest(tmp_path / "m.sqlite")
    plan = plans.plan_recordings(["https://there/a.nwb"], manifest, "m", "o", progress=silent)
    assert [each.digest for each in plan.entries.values()] == ["url 1"]
    asked.clear()
    monkeypatch.setattr(plans, "WAITS_S", (0.0,))
    plan = plans.plan_recordings(["https://there/a.nwb"], manifest, "m", "o", progress=silent)
    assert plan.refused == {"https://there/a.nwb": "no answer"}


def test_a_scheduler_that_comes_back_is_returned_to(scheduler, archive, monkeypatch):
    monkeypatch.setattr(crews, "AGAIN_S", 0.01)
    with closing(crews.Crew(scheduler, 1)) as crew:
        crew._client.close()
        assert crew.collect(0.01) == []
        crew.submit(Asked(model=ISI, dataset=Path("vectors").absolute()), Claimed(source=archive[0], key="k"))
        deadline = time.monotonic() + 60
        while not (found := crew.collect(0.1)) and time.monotonic() < deadline:
            pass
    ((key, answer),) = found
    assert (key, answer.reason) == ("k", "")
