"""Children that are forks of the loaded program are children like all others."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor import forking, services
from supervisor.loader import Loader
from tests.supervisor.harness import Run, wait_until

SAYS = """
import os, sys, threading
facts = {
    "argv": sys.argv[1:], "name": __name__, "parent": os.getppid(), "leads": os.getsid(0) == os.getpid(),
    "loaded": "json.tool" in sys.modules, "threads": len(os.listdir("/proc/self/task")),
    "mark": [name for name in os.environ if name == "OVEN_RUN"], "stdin": os.read(0, 1),
    "open": sorted(os.listdir("/proc/self/fd"), key=int)[:-1],
}
print("facts", facts, flush=True)
print("complaint", file=sys.stderr, flush=True)
import time; time.sleep(600)
"""
LOADER = """
import sys
sys.path.insert(0, {root!r})
from supervisor import forking
{patch}
forking.load = load
forking.main(sys.argv)
"""
QUICK = "import json.tool\ndef load(): pass"


@pytest.fixture
def loader(tmp_path: Path) -> tuple[str, ...]:
    """Something that is loaded at once: what is tried here is the forking."""
    (tmp_path / "loader.py").write_text(LOADER.format(root=str(services.ROOT), patch=QUICK))
    return (str(tmp_path / "loader.py"),)


def script(tmp_path: Path, name: str, code: str, *arguments: str) -> dict[str, Any]:
    (tmp_path / f"{name}.py").write_text(code)
    return {"name": name, "argv": [sys.executable, str(tmp_path / f"{name}.py"), *arguments], "fork": True}


def facts(run: Run) -> dict[str, Any]:
    run.wait_for("facts {")
    found: dict[str, Any] = eval(run.output.rpartition("facts ")[2].splitlines()[0])
    return found


def test_a_fork_is_what_a_started_process_would_be(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    run.children(script(tmp_path, "one", SAYS, "a", "b c"), loader=loader)
    assert facts(run) == {
        "argv": ["a", "b c"],
        "name": "__main__",
        "parent": run.process.pid,
        "leads": True,
        "loaded": True,
        "threads": 1,
        "mark": ["OVEN_RUN"],
        "stdin": b"",
        "open": ["0", "1", "2"],
    }
    run.wait_for("| complaint")
    assert len(run.pids("one.py a b c")) == 1  # as `ps` shows it
    assert run.stop() == 0
    assert run.pids() == []


def test_without_a_loader_the_same_is_started_the_long_way(run: Run, tmp_path: Path) -> None:
    run.children(script(tmp_path, "one", SAYS))
    found = facts(run)
    assert (found["loaded"], found["parent"], found["leads"]) == (False, run.process.pid, True)


def test_a_fork_that_is_killed_is_forked_again(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    run.children(script(tmp_path, "victim", SAYS), script(tmp_path, "steady", SAYS), loader=loader)
    first, other = run.only("victim.py"), run.only("steady.py")
    os.kill(first, signal.SIGKILL)
    run.wait_for("victim was killed by SIGKILL; starting it again in 0.1 s")
    assert wait_until(lambda: run.pids("victim.py") not in ([], [first]))
    assert run.only("steady.py") == other
    run.wait_for("facts {", times=3)
    assert facts(run)["loaded"]


def test_its_end_is_told_as_any_childs(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    broken = script(tmp_path, "broken", "import sys; sys.exit(3)")
    run.children(broken, script(tmp_path, "raising", "raise LookupError('moon')"), loader=loader)
    run.wait_for("broken ended with exit code 3")
    run.wait_for("| LookupError: moon")
    run.wait_for("raising ended with exit code 1")


def test_what_a_program_does_at_its_end_is_done(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    code = "import atexit, threading, time\natexit.register(print, 'at exit', flush=True)\n"
    code += "threading.Thread(target=lambda: (time.sleep(0.2), print('thread done', flush=True))).start()"
    run.children(script(tmp_path, "tidy", code), loader=loader)
    run.wait_for("| thread done")
    run.wait_for("| at exit")
    run.wait_for("tidy ended with exit code 0")


def test_nothing_of_it_survives_a_killed_supervisor(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    run.children(script(tmp_path, "one", SAYS), loader=loader)
    facts(run)
    run.stop(signal.SIGKILL)
    assert wait_until(lambda: not run.pids()), run.pids()


def test_a_killed_loader_takes_nobody_along_and_comes_back(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    run.children(script(tmp_path, "one", SAYS), loader=loader)
    one = run.only("one.py")
    (forker,) = run.pids("supervisor.forking")
    os.kill(forker, signal.SIGKILL)
    run.wait_for("loader was killed by SIGKILL; starting it again")
    assert wait_until(lambda: run.pids("supervisor.forking") not in ([], [forker]))
    assert run.only("one.py") == one
    os.kill(one, signal.SIGKILL)
    run.wait_for("facts {", times=2)
    assert facts(run)["loaded"]


def test_a_loader_that_does_not_answer_is_done_without(run: Run, tmp_path: Path, loader: tuple[str, ...]) -> None:
    run.children(script(tmp_path, "one", SAYS), loader=loader)
    one = run.only("one.py")
    (forker,) = run.pids("supervisor.forking")
    os.kill(forker, signal.SIGSTOP)
    os.kill(one, signal.SIGKILL)
    run.wait_for("facts {", times=2)
    assert not facts(run)["loaded"]
    assert run.stop() == 0
    assert run.pids() == []


@pytest.mark.parametrize("patch", ["def load(): raise LookupError('settings are on fire')", "def load(): 1 / 0"])
def test_what_cannot_be_loaded_says_why_and_the_rest_starts(run: Run, tmp_path: Path, patch: str) -> None:
    (tmp_path / "loader.py").write_text(LOADER.format(root=str(services.ROOT), patch=patch))
    run.children(script(tmp_path, "one", SAYS), loader=(str(tmp_path / "loader.py"),))
    run.wait_for("on fire" if "fire" in patch else "division by zero")
    assert not facts(run)["loaded"]


def test_the_real_program_is_loaded_without_a_thread(tmp_path: Path, run: Run) -> None:
    child = services.loader()
    assert child is not None and child.argv[1:] == ("-m", "supervisor.forking")
    code = "import os, sys; print('has', sorted(set(%r) - set(sys.modules)), len(os.listdir('/proc/self/task')), flush=True)"
    run.children(script(tmp_path, "one", code % (forking.PROGRAM,)), loader=child.argv[1:])
    run.wait_for("| has [] 1")


def test_a_loader_that_has_gone_is_known_to_have(tmp_path: Path) -> None:
    child = services.loader()
    assert child is not None
    assert not Loader(child).loaded()
