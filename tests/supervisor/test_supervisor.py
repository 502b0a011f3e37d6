"""Children are restarted, and none outlives the supervisor."""

import contextlib
import os
import re
import signal
from pathlib import Path

from supervisor.child import Backoff, Child, Process
from tests.supervisor.harness import Run, fake, wait_until, with_stubborn

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# Takes its time to end, and says so.
ENDING = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, "
    "lambda *_: (time.sleep({seconds}), print('{name} done', flush=True), sys.exit())); "
    "print('{name} up', flush=True); time.sleep(600)"
)


def test_a_child_that_is_killed_is_started_again(run: Run) -> None:
    run.children(fake("steady"), fake("victim"))
    first, other = run.only("# victim"), run.only("# steady")
    os.kill(first, signal.SIGKILL)
    run.wait_for("victim was killed by SIGKILL; starting it again in 0.1 s")
    assert wait_until(lambda: run.pids("# victim") not in ([], [first]))
    assert run.only("# steady") == other


def test_a_child_that_keeps_dying_waits_longer_each_time(run: Run) -> None:
    run.children(fake("broken", "import sys; sys.exit(3)"))
    run.wait_for("starting it again in 0.8 s")
    assert re.findall(r"broken ended with exit code 3; starting it again in (\S+) s", run.output)[:4] == [
        "0.1",
        "0.2",
        "0.4",
        "0.8",
    ]


def test_backoff_has_a_limit() -> None:
    backoff = Backoff()
    assert [backoff.delay(n) for n in (1, 2, 3, 6, 7, 100)] == [0.2, 0.4, 0.8, 6.4, 10.0, 10.0]


def test_a_long_life_forgets_old_failures() -> None:
    process = Process(Child("x", ("true",)))
    process.failures = 5
    assert process.ended(1, Backoff(forget=1e12)) == 6.4
    assert process.ended(1, Backoff(forget=0.0)) == 0.2


def test_a_program_that_is_not_there_is_tried_again(run: Run) -> None:
    run.children({"name": "ghost", "argv": ["/nonexistent/program"]})
    run.wait_for("ghost could not be started: ", times=2)
    assert run.stop() == 0


def test_stop_ends_children_and_what_they_hid_elsewhere(run: Run) -> None:
    run.children(with_stubborn("parent"), fake("deaf", DEAF))
    run.wait_for("parent-ready")
    run.wait_for("| deaf")
    assert run.stop() == 0
    assert run.pids() == []
    assert "deaf does not stop; killing it" in run.output


def test_the_last_child_is_stopped_when_the_others_are_gone(run: Run) -> None:
    store = ENDING.format(name="store", seconds=0)
    slow = ENDING.format(name="slow", seconds=0.3)
    run.children(fake("store", store, last=True), fake("slow", slow))
    run.wait_for("store up")
    run.wait_for("slow up")
    assert run.stop(signal.SIGINT) == 0
    assert run.output.index("slow done") < run.output.index("store done")


def test_a_second_ctrl_c_does_not_wait(run: Run) -> None:
    run.children(fake("deaf", DEAF), stop=600.0)
    run.wait_for("| deaf")
    run.process.send_signal(signal.SIGINT)
    run.wait_for("stopping")
    assert not wait_until(lambda: run.process.poll() is not None, 0.5)
    assert run.stop(signal.SIGINT) == 0
    assert run.pids() == []


def test_nothing_survives_a_killed_supervisor(run: Run) -> None:
    run.children(with_stubborn("parent"), fake("deaf", DEAF))
    run.wait_for("parent-ready")
    run.stop(signal.SIGKILL)
    assert wait_until(lambda: not run.pids()), run.pids()


def test_children_end_even_when_the_guard_is_killed_as_well(run: Run) -> None:
    run.children(fake("one"), fake("deaf", DEAF))
    run.wait_for("| deaf")
    supervisor = run.process.pid
    (guard,) = _guards(supervisor)
    os.kill(supervisor, signal.SIGSTOP)  # it would start another
    os.kill(guard, signal.SIGKILL)
    run.stop(signal.SIGKILL)
    assert wait_until(lambda: not run.pids()), run.pids()


def test_a_guard_that_is_killed_is_replaced(run: Run) -> None:
    run.children(with_stubborn("parent"))
    run.wait_for("parent-ready")
    (first,) = _guards(run.process.pid)
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: _guards(run.process.pid) not in ([], [first]))
    run.stop(signal.SIGKILL)
    assert wait_until(lambda: not run.pids()), run.pids()


def test_what_a_dead_child_left_is_ended_and_nobody_elses(run: Run) -> None:
    run.children(with_stubborn("victim"), with_stubborn("other"))
    run.wait_for("| victim-ready")
    run.wait_for("| other-ready")
    stray, kept = run.only("# victim-stubborn"), run.only("# other-stubborn")
    os.kill(_parent_of(stray), signal.SIGKILL)
    run.wait_for("ended 1 process(es) left behind")
    assert wait_until(lambda: stray not in run.pids())
    run.wait_for("| victim-ready", times=2)
    assert run.only("# other-stubborn") == kept


def test_orphans_that_end_are_not_left_as_zombies(run: Run) -> None:
    # The grandchild loses its parent at once and ends a little later, as a child of the supervisor's.
    code = (
        "import subprocess, time; "
        "subprocess.run(['sh', '-c', 'sleep 0.2 & exit 0']); print('forked', flush=True); time.sleep(600)"
    )
    run.children(fake("forker", code))
    run.wait_for("forked")
    assert wait_until(lambda: len(_children_of(run.process.pid)) == 2)  # the child and the guard


def _children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _guards(supervisor: int) -> list[int]:
    return [pid for pid in _children_of(supervisor) if b"supervisor.orphan_guard" in _command_of(pid)]


def _command_of(pid: int) -> bytes:
    """Return a process's command line; empty when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
