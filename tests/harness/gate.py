"""Run every check of the project in phases, and report times and failures. `bin/test` calls this.

The gate runs everything once; `--all` also runs the tests marked `exhaustive` (more sizes, more rounds, every look of
every page). What runs beside the unit and browser tests is shown only when it fails.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "var" / "test-artifacts" / "results"
DURATIONS = Path(__file__).with_name("durations.json")
SLOWEST = 10

STATIC = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "lint-imports": ["lint-imports"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "mypy": ["mypy"],
}
EXHAUSTIVE = {
    "bandit": [
        "bandit",
        "-q",
        "-c",
        "pyproject.toml",
        "-r",
        "manage.py",
        "bakes",
        "bundles",
        "captures",
        "chaos",
        "dashboard",
        "demo",
        "oven",
        "oven_site",
        "pins",
        "supervisor",
        "-x",
        "*/migrations/*",
    ],
}
# Playwright's event loop does not share a process with pytest-asyncio, so browser tests have a run of their own. The
# memory tests fork the process that runs them: it must have no other threads, so it cannot be a worker of xdist.
BROWSER = ["tests/browser", "tests/e2e", "tests/fuzz"]
MEMORY = ["tests/bakes/engine"]
CHAOS = ["tests/chaos"]
UNIT = [f"--ignore={path}" for path in (*BROWSER, *MEMORY, *CHAOS)]


@dataclass
class Phase:
    """One command of the run, and how it ended. Times are in seconds."""

    name: str
    command: list[str]
    seconds: float = 0.0
    cpu: float = 0.0
    code: int = -1
    output: str = ""
    tests: list[dict[str, Any]] = field(default_factory=list)
    deselected: int = 0

    def run(self, *, quiet: bool) -> None:
        """Run the command; keep its output when `quiet`, else pass it through."""
        results = RESULTS / f"{self.name.replace(' ', '-')}.json"
        results.unlink(missing_ok=True)
        started = time.monotonic()
        process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env={**os.environ, "TEST_RESULTS": str(results)},
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
        )
        self.output = process.communicate()[0] or ""
        self.code = process.returncode
        self.seconds = time.monotonic() - started
        if results.exists():
            found = json.loads(results.read_text())
            self.tests, self.deselected, self.cpu = found["tests"], found["deselected"], found["cpu"]

    def count(self, outcome: str) -> int:
        return sum(test["outcome"] == outcome for test in self.tests)


def pytest_phase(name: str, workers: int, *arguments: str, everything: bool) -> Phase:
    """Return a run of pytest. `workers`: how many processes share it; 0 runs it in one, without xdist."""
    spread = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"] if workers else []
    size = ["--all"] if everything else []
    return Phase(name, [sys.executable, "-m", "pytest", *spread, *size, *arguments])


def static_phases(everything: bool) -> list[Phase]:
    checks = STATIC | EXHAUSTIVE if everything else STATIC
    return [Phase(name, command) for name, command in checks.items()]


def run_in_background(phases: Sequence[Phase]) -> threading.Thread:
    """Run phases one after another beside the foreground's; a failure is announced as soon as it is known."""

    def run() -> None:
        for phase in phases:
            phase.run(quiet=True)
            if phase.code:
                print(f"\n=== {phase.name} FAILED after {phase.seconds:.0f} s\n{phase.output}", flush=True)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def run_in_foreground(phase: Phase, started: float) -> None:
    print(f"\n=== {phase.name} (after {_clock(time.monotonic() - started)})", flush=True)
    phase.run(quiet=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gate; return 0 when everything passed."""
    parser = argparse.ArgumentParser("bin/test", description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--all", action="store_true", help="also run the tests marked `exhaustive`")
    parser.add_argument(
        "--record-durations", action="store_true", help=f"write {DURATIONS.name}, which sets the order"
    )
    options = parser.parse_args(argv)
    os.environ["PYTHONUNBUFFERED"] = "1"
    RESULTS.mkdir(parents=True, exist_ok=True)
    for old in RESULTS.glob("*.json"):
        old.unlink()
    started = time.monotonic()
    everything = options.all
    memory = pytest_phase("memory", 0, *MEMORY, everything=everything)
    unit = pytest_phase("unit", 3, *UNIT, "tests", everything=everything)
    browser = pytest_phase("browser", 2, *BROWSER, everything=everything)
    # Chaos waits most of the time, so it runs beside others; at full size it needs the machine for itself.
    chaos = pytest_phase("chaos", 0, *CHAOS, everything=everything)
    covered = Phase("covered", [sys.executable, "-m", "tests.harness.covered", str(RESULTS)])
    static = static_phases(everything)
    steps: list[tuple[Phase, list[Phase]]] = [(unit, [*static, memory]), (browser, [] if everything else [chaos])]
    steps += [(chaos, [])] if everything else []
    for phase, beside in [*steps, (covered, [])]:
        thread = run_in_background(beside)
        run_in_foreground(phase, started)
        thread.join()
    if options.record_durations:
        DURATIONS.write_text(json.dumps(_by_file([unit, browser]), indent=0) + "\n")
    return report([*static, memory, unit, browser, chaos, covered], time.monotonic() - started)


# Reports


def report(phases: Sequence[Phase], seconds: float) -> int:
    """Print and keep the tables of times, then what failed; return the exit code."""
    text = "\n".join([*_phase_table(phases), *_file_table(phases)])
    (RESULTS / "times.txt").write_text(text + "\n")
    print("\n" + "\n".join([*_phase_table(phases), *_slowest(phases)]))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"\nTook {_clock(seconds)} and {_clock(cpu)} of CPU. Times of every file: {RESULTS / 'times.txt'}")
    failures = list(_failures(phases))
    if failures:
        print("\nFAILED:", *failures, sep="\n  ")
    tests = [test for phase in phases for test in phase.tests]
    counts = {
        outcome: sum(test["outcome"] == outcome for test in tests) for outcome in ("passed", "failed", "skipped")
    }
    checks = [phase for phase in phases if phase.name in STATIC | EXHAUSTIVE or phase.name == "covered"]
    counts["passed"] += sum(phase.code == 0 for phase in checks)
    counts["failed"] += len(failures) - counts["failed"]
    print("\n" + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    return 1 if failures else 0


def _failures(phases: Sequence[Phase]) -> Iterable[str]:
    for phase in phases:
        failed = [test for test in phase.tests if test["outcome"] == "failed"]
        yield from (f"{test['id']}: {test['message']}" for test in failed)
        if phase.code and not failed:
            yield f"{phase.name}: {' '.join(phase.command[:6])} ended with exit code {phase.code}"


def _phase_table(phases: Sequence[Phase]) -> list[str]:
    lines = [f"{'phase':<16}{'wall':>8}{'CPU':>8}{'passed':>9}{'failed':>8}{'skipped':>9}{'left out':>10}"]
    for phase in phases:
        tests = [phase.count(outcome) for outcome in ("passed", "failed", "skipped")] if phase.tests else []
        numbers = "".join(f"{number:>{width}}" for number, width in zip(tests, (9, 8, 9), strict=False))
        cpu = _clock(phase.cpu) if phase.cpu else ""
        left_out = phase.deselected if tests else ("ok" if phase.code == 0 else "FAILED")
        lines.append(f"{phase.name:<16}{_clock(phase.seconds):>8}{cpu:>8}{numbers or ' ' * 26}{left_out:>10}")
    return lines


def _by_file(phases: Sequence[Phase]) -> dict[str, int]:
    """Return the seconds of every test file that takes more than one, the longest first."""
    files: Counter[str] = Counter()
    for test in (test for phase in phases for test in phase.tests):
        files[test["id"].partition("::")[0]] += _seconds(test)  # type: ignore[assignment]
    return {file: round(seconds) for file, seconds in files.most_common() if seconds > 1}


def _file_table(phases: Sequence[Phase]) -> list[str]:
    files: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for test in (test for phase in phases for test in phase.tests):
        entry = files[test["id"].partition("::")[0]]
        entry[0] += _seconds(test)
        entry[1] += test["cpu"]
        entry[2] += 1
    lines = ["", f"{'seconds':>9}{'CPU':>8}{'tests':>7}  file"]
    for file, (seconds, cpu, number) in sorted(files.items(), key=lambda entry: -entry[1][0]):
        lines.append(f"{seconds:>9.1f}{cpu:>8.1f}{number:>7.0f}  {file}")
    return lines


def _slowest(phases: Sequence[Phase]) -> list[str]:
    tests = sorted((test for phase in phases for test in phase.tests), key=_seconds, reverse=True)[:SLOWEST]
    return ["", f"The {len(tests)} slowest tests:", *(f"{_seconds(test):>8.1f} s  {test['id']}" for test in tests)]


def _seconds(test: dict[str, Any]) -> float:
    return float(test["setup"] + test["call"] + test["teardown"])


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
