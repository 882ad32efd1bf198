"""Who works on a run: one at a time, and nobody once its holder is dead."""

import fcntl
import multiprocessing
import signal
import time
from threading import Timer

from training.campaign.claim import CLAIM, claim, holder
from training.campaign.plan import state_of


def hold(folder, ready):
    with claim(folder) as is_ours:
        ready.put(is_ours)
        time.sleep(60)


def test_a_claim_is_for_one_and_let_go_when_its_holder_is_killed(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=hold, args=(tmp_path / "run", ready), daemon=True)
    process.start()
    assert ready.get(timeout=60)
    with claim(tmp_path / "run") as is_ours:
        assert not is_ours
    assert holder(tmp_path / "run").endswith(f" {process.pid}")
    assert state_of(tmp_path / "run") == "running"
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert holder(tmp_path / "run") is None
    with claim(tmp_path / "run") as is_ours:
        assert is_ours


def test_who_only_looks_into_a_claim_keeps_nobody_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr("training.campaign.claim.LOOK_S", 60.0)  # on a busy machine the look takes longer
    with (tmp_path / CLAIM).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as `holder` does
        looked = Timer(0.2, fcntl.flock, (file, fcntl.LOCK_UN))
        looked.start()
        with claim(tmp_path) as is_ours:
            assert is_ours
        looked.join()


def test_a_claim_names_its_present_holder_alone(tmp_path):
    with claim(tmp_path):
        first = holder(tmp_path)
    with claim(tmp_path):
        assert holder(tmp_path) == first
