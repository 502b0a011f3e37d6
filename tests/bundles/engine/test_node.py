"""The Node process: found, started, lost, replaced, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.node import NodeOptions, NodeWorker, find_node
from bundles.engine.spec import BundleSpec, Progress
from tests.bundles.engine.conftest import MakeTree

ROOT = Path(__file__).resolve().parents[3]


def kill(worker: NodeWorker) -> None:
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)


def gone(pid: int | None, limit_s: float = 5) -> bool:
    assert pid
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_node_is_found_and_new_enough() -> None:
    told = subprocess.run([find_node(), "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith("v")


@pytest.mark.parametrize("path", ["/nowhere/node", "/bin/true"])
def test_a_node_that_was_set_has_to_be_one(path: str) -> None:
    with pytest.raises(BundleError) as caught:
        find_node(path)
    assert caught.value.code is ErrorCode.NO_NODE and path in caught.value.message


def test_an_old_node_is_none(tmp_path: Path) -> None:
    for version, good in {
        "v18.20.0": False,
        "v20.18.9": False,
        "v20.19.0": True,
        "v21.7.3": False,
        "v22.12.0": True,
    }.items():
        fake = tmp_path / version
        fake.write_text(f"#!/bin/sh\necho {version}\n")
        fake.chmod(0o755)
        if good:
            assert find_node(str(fake)) == str(fake)
        else:
            with pytest.raises(BundleError):
                find_node(str(fake))


def test_missing_packages_are_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        NodeWorker(NodeOptions(packages=str(tmp_path))).about()
    assert caught.value.code is ErrorCode.NO_NODE


def test_closing_ends_it() -> None:
    worker = NodeWorker()
    list(worker.ask("ping"))
    pid = worker.pid
    worker.close()
    assert gone(pid, 0.1)
    worker.close()


def test_a_lost_worker_is_replaced_at_the_next_request() -> None:
    worker = NodeWorker()
    list(worker.ask("ping"))
    kill(worker)
    assert worker._process is not None
    worker._process.wait()
    assert next(worker.ask("ping"))["node"].startswith("v")
    assert worker.starts == 2
    worker.close()


def test_a_worker_lost_in_the_middle_is_told() -> None:
    worker = NodeWorker()
    request = worker.post("ping")
    list(worker.collect(request))
    worker.post("cuts", texts=["import 'x';" * 400_000])
    kill(worker)
    with pytest.raises(BundleError) as caught:
        list(worker.collect(request + 1))
    assert caught.value.code is ErrorCode.WORKER_LOST and caught.value.retry


def test_a_build_whose_worker_is_killed_is_taken_up_again(
    make_tree: MakeTree, tmp_path: Path, spec: Callable[..., BundleSpec]
) -> None:
    modules: dict[str, str | bytes] = {
        f"m{i}.mjs": f"export const name{i} = (x) => {{ {'x += Math.sin(x) * x; ' * 2000} return x }};"
        for i in range(60)
    }
    tree = make_tree({**modules, "main.mjs": "\n".join(f"import './{name}'" for name in modules)})
    killed = []

    def report(progress: Progress) -> None:
        if progress.stage == "minify" and progress.done and not killed:
            killed.append(engine.node.pid)
            kill(engine.node)

    with Engine(EngineOptions(tmp_path / "c1")) as engine:
        made = engine.core(tree, report)
        assert killed and engine.node.starts == 2
    with Engine(EngineOptions(tmp_path / "c2")) as engine:
        assert engine.core(tree).key == made.key


def test_a_worker_that_keeps_dying_is_an_error(make_tree: MakeTree, tmp_path: Path) -> None:
    with Engine(EngineOptions(tmp_path / "c")) as engine:

        def report(progress: Progress) -> None:
            list(engine.node.ask("ping"))
            kill(engine.node)

        with pytest.raises(BundleError) as caught:
            engine.core(make_tree({"main.mjs": "let x"}), report)
    assert caught.value.code is ErrorCode.WORKER_LOST


def test_a_silent_worker_is_ended_after_its_limit() -> None:
    worker = NodeWorker(NodeOptions())
    list(worker.ask("ping"))  # its start takes longer than the limit, on a busy machine
    pid = worker.pid
    assert pid
    worker.options = replace(worker.options, limit_s=0.5)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(BundleError) as caught:
        list(worker.ask("ping"))
    assert caught.value.code is ErrorCode.TIMEOUT
    assert gone(pid)


def test_a_worker_that_has_grown_is_replaced() -> None:
    worker = NodeWorker(NodeOptions(recycle_mb=1))
    list(worker.ask("ping"))
    list(worker.ask("ping"))
    assert worker.starts == 2
    worker.close()


OWNER = """
import sys, time
from bundles.engine.node import NodeWorker
worker = NodeWorker()
list(worker.ask("ping"))
print(worker.pid, flush=True)
if sys.argv[1] == "busy":
    worker.post("cuts", texts=["import 'x';" * 9_000_000])
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_killed_owner_leaves_nobody_behind(state: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, state], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    time.sleep(0.3 if state == "busy" else 0)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(child, 10)


def test_node_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_TEST_SECRET", "hidden")
    monkeypatch.setenv("NODE_OPTIONS", "--require=/nowhere.js")
    worker = NodeWorker()
    list(worker.ask("ping"))
    assert b"OVEN_TEST_SECRET" not in Path(f"/proc/{worker.pid}/environ").read_bytes()
    worker.close()
