"""Engines: started, signalled, stopped, and gone with the process that started them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import REPOSITORY, Emulator

from emulator import processes, settings
from emulator.settings import Settings


@pytest.fixture(scope="module", autouse=True)
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("data")
    settings.configure(Settings(port=0, data_dir=data_dir, toolchain=None))
    return data_dir


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether a condition comes true within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -signal.SIGKILL), ("kill $$", -signal.SIGTERM)]
)
def test_exit_code_is_the_engines(script, status):
    assert processes.spawn(["sh", "-c", script], name="ends").wait(timeout=10) == status


def test_output_goes_to_the_log(configured):
    processes.spawn(["sh", "-c", "echo to stdout; echo to stderr >&2"], name="speaks").wait(timeout=10)
    assert (configured / "logs" / "speaks.log").read_text() == "to stdout\nto stderr\n"


def test_output_can_be_read_while_it_runs():
    process = processes.spawn(["sh", "-c", "echo now; exec sleep 600"], name="streams", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    assert process.poll() is None
    assert process.kill() == -signal.SIGKILL


def test_environment_and_directory_are_the_given_ones(tmp_path):
    process = processes.spawn(
        ["/bin/sh", "-c", "echo $GREETING; pwd"],
        name="where",
        env={"GREETING": "hello"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.read().decode().splitlines() == ["hello", str(tmp_path)]
    assert process.wait(timeout=10) == 0


def test_missing_program_is_named():
    with pytest.raises(processes.ProcessError, match="trino: cannot run /no/such/java: No such file or directory"):
        processes.spawn(["/no/such/java"], name="trino")


def test_pid_is_the_engines():
    process = processes.spawn(["sh", "-c", "echo $$; exec sleep 600"], name="pid", stdout=subprocess.PIPE)
    assert int(process.stdout.readline()) == process.pid
    process.kill()


def test_stop_sends_the_stop_signal():
    script = "trap 'exit 5' INT; echo ready; while :; do sleep 0.01; done"
    process = processes.spawn(["sh", "-c", script], name="polite", stop_signal=signal.SIGINT, stdout=subprocess.PIPE)
    process.stdout.readline()
    assert process.stop() == 5


def test_stubborn_engine_is_killed():
    script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    process = processes.spawn(["sh", "-c", script], name="stubborn", stdout=subprocess.PIPE)
    process.stdout.readline()
    assert process.stop(grace_seconds=0.1) == -signal.SIGKILL


def test_children_left_behind_end_with_the_engine():
    process = processes.spawn(["sh", "-c", "sleep 600 & echo $!"], name="parent", stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    assert process.wait(timeout=10) == 0
    assert eventually(lambda: not is_running(child))


def test_stop_all_stops_every_engine_and_lets_none_start_any_more(monkeypatch):
    monkeypatch.setattr(processes, "_stopped", threading.Event())  # of this test only
    engines = [processes.spawn(["sleep", "600"], name=f"engine-{number}") for number in range(3)]
    processes.stop_all()
    assert [engine.poll() for engine in engines] == [-signal.SIGTERM] * 3
    with pytest.raises(processes.ProcessError, match="late: the emulator is about to end"):
        processes.spawn(["sleep", "600"], name="late")


def test_unprivileged_engine_does_not_see_itself_as_root():
    process = processes.spawn(["id", "-u"], name="id", stdout=subprocess.PIPE, as_unprivileged=True)
    assert int(process.stdout.read()) != 0
    assert process.wait(timeout=10) == 0


def test_root_without_user_namespaces_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(processes.os, "geteuid", lambda: 0)
    monkeypatch.setattr(processes, "_user_namespaces_work", lambda: False)
    with pytest.raises(
        processes.ProcessError, match=r"postgres refuses to run as root.*run the emulator as an ordinary"
    ):
        processes.spawn(["id"], name="postgres", as_unprivileged=True)


def test_engines_of_a_killed_process_end(tmp_path):
    """kill -9 gives the parent no chance to stop anything: the guardians have to see it."""
    parent_script = f"""
import json, subprocess, sys, time
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from emulator import processes, settings
settings.configure(settings.Settings(port=0, data_dir=Path({str(tmp_path)!r}), toolchain=None))
engine = processes.spawn(["sh", "-c", "sleep 600 & echo $!; wait"], name="engine", stdout=subprocess.PIPE)
print(json.dumps([engine.pid, int(engine.stdout.readline())]), flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", parent_script], stdout=subprocess.PIPE, text=True)
    pids = json.loads(parent.stdout.readline())
    assert all(is_running(pid) for pid in pids)
    parent.kill()
    parent.wait()
    assert eventually(lambda: not any(is_running(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_postgres_ends_with_the_emulator(tmp_path, toolchain, number):
    emulator = Emulator.start(tmp_path / "data", toolchain)
    rds = emulator.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="mortal",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="master",
        ManageMasterUserPassword=True,
    )

    def is_available() -> bool:
        return rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available"

    assert eventually(is_available)
    listing = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    pids = [int(line.split()[0]) for line in listing.splitlines() if str(tmp_path / "data" / "rds") in line]
    # The server, its TLS proxy, and a guardian for each, which names the engine's arguments too.
    assert len(pids) >= 4

    os.kill(emulator.process.pid, number)
    emulator.process.wait()
    assert eventually(lambda: not any(is_running(pid) for pid in pids))
