"""The whole command over a fake project: checks, order, banner, and nothing left behind."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from supervisor import checks, cli, health, services
from tests.supervisor.harness import Run, wait_until

MANAGE = """
import os, sys, time
command = sys.argv[1]
if command == "migrate":
    print(os.environ.get("FAKE_MIGRATE", "No migrations to apply."))
    open(os.path.join(os.environ["OVEN_DATA"], "oven.sqlite3"), "ab").close()
    sys.exit(int(os.environ.get("FAKE_MIGRATE_CODE", "0")))
if command == "signin":
    print("http://localhost/in?token=once")
    sys.exit(0)
print(command, os.environ["REDIS_URL"], os.environ["OVEN_PIECE_ORIGIN"], flush=True)
time.sleep(600)
"""

UVICORN = """
import http.server, os, sys
if os.environ.get("FAKE_WEB") == "broken":
    sys.exit("web is broken: no module named moon")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pieces").mkdir(parents=True)
    (root / "manage.py").write_text(MANAGE)
    (root / "uvicorn.py").write_text(UVICORN)  # found before the real one: -m looks in the directory first
    (root / "pieces" / "serve.py").write_text("import time; time.sleep(600)")
    return root


@pytest.fixture
def port() -> int:
    """A port that is free, like the one after it."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            number = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", number + 1))
            except (OSError, OverflowError):
                continue
            return number


def launch(run: Run, project: Path, port: int, *more: str, **env: str) -> None:
    options = ["--port", str(port), "--data", str(project / "var"), "--workers", "2", *more]
    clean = {"REDIS_URL": "", "OVEN_PUBLIC_URL": "", "OVEN_PIECE_ORIGIN": "", "OVEN_FROM": ""}
    run.launch("oven", str(project), *options, env={**clean, **env})


def test_starts_says_where_it_is_and_leaves_nothing(run: Run, project: Path, port: int) -> None:
    launch(run, project, port)
    run.wait_for("Ctrl-C stops it.")
    var = project / "var"
    for text in (
        f"Address  http://localhost:{port}/\n",
        "Sign in  http://localhost/in?token=once (works once)\n",
        f"Pieces   http://127.0.0.1:{port + 1}/\n",
        f"Data     {var}\n",
        f"curl -o a.webp 'http://localhost:{port}/grab/webp/256/256/orbit?duration=2000&fps=15'\n",
    ):
        assert text in run.output
    assert "No migrations" not in run.output
    for name in ("capture-1", "capture-2", "bake-1", "bake-2", "bundle", "light", "scheduler"):
        run.wait_for(f"{name:<9} | ")
    redis_url = f"unix://{var}/run/valkey.sock?db=0"
    assert f"capture_worker {redis_url} http://127.0.0.1:{port + 1}" in run.output
    assert {path.stem for path in (var / "logs").glob("*.log")} >= {"capture-1", "light", "scheduler"}
    assert not any("token=once" in path.read_text() for path in (var / "logs").iterdir())
    assert len(run.pids()) == 11  # the supervisor, and ten children
    assert run.stop(signal.SIGINT) == 0
    assert run.pids() == []
    assert "\nvalkey " not in run.output  # it had nothing to say that anybody needs


def test_a_second_oven_on_the_same_data_is_refused(run: Run, project: Path, port: int, tmp_path: Path) -> None:
    launch(run, project, port)
    run.wait_for("Ctrl-C stops it.")
    (tmp_path / "second").mkdir()
    second = Run(tmp_path / "second")
    launch(second, project, port)
    assert second.process.wait(20) == 1
    assert f"another Oven (process {run.process.pid}) already runs on {project / 'var'}" in second.output
    assert run.stop() == 0


def test_it_starts_again_right_after_it_was_killed(run: Run, project: Path, port: int) -> None:
    launch(run, project, port)
    run.wait_for("Ctrl-C stops it.")
    run.stop(signal.SIGKILL)
    launch(run, project, port)
    run.wait_for("Ctrl-C stops it.", times=2)
    assert run.stop() == 0
    assert run.pids() == []


def test_a_redis_of_the_users_is_used(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, REDIS_URL="redis://elsewhere:1234/5", OVEN_PIECE_ORIGIN="https://pieces.example")
    run.wait_for("capture_worker redis://elsewhere:1234/5 https://pieces.example")
    run.wait_for("Ctrl-C stops it.")
    assert not (project / "var" / "valkey").exists()
    assert run.stop() == 0


def test_the_dotenv_file_counts_as_the_users_word(run: Run, project: Path, port: int) -> None:
    (project / ".env").write_text('# mine\nexport REDIS_URL="redis://elsewhere:1234/5" # shared\nOVEN_PORT=1\n')
    launch(run, project, port)
    run.wait_for("capture_worker redis://elsewhere:1234/5 http")
    run.wait_for("Ctrl-C stops it.")
    assert run.stop() == 0


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_in_use_is_named(run: Run, project: Path, port: int, taken: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", port + taken))
        server.listen()
        launch(run, project, port)
        assert run.process.wait(20) == 1
    assert run.output.startswith(f"oven: port {port + taken} (")
    assert "--port" in run.output
    assert run.output.count("\n") == 1
    assert not (project / "var" / "logs").exists()


def test_a_failing_migration_stops_everything(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, FAKE_MIGRATE="column is on fire", FAKE_MIGRATE_CODE="1")
    assert run.process.wait(20) == 1
    assert "the database cannot be brought up to date:\ncolumn is on fire" in run.output
    assert run.pids() == []


def test_a_migration_that_does_something_is_shown(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, FAKE_MIGRATE="Applying ovens.0001_initial... OK")
    run.wait_for("  Applying ovens.0001_initial... OK\n")
    assert run.stop() == 0


@pytest.mark.parametrize("told", ["file is not a database", "database disk image is malformed"])
def test_a_damaged_database_is_one_sentence(run: Run, project: Path, port: int, told: str) -> None:
    said = f"Traceback (most recent call last):\ndjango.db.utils.DatabaseError: {told}"
    launch(run, project, port, FAKE_MIGRATE=said, FAKE_MIGRATE_CODE="1")
    assert run.process.wait(20) == 1
    assert f"the SQLite database is damaged ({told}); restore a backup" in run.output
    assert "manage.py restore" in run.output
    assert "Traceback" not in run.output


def test_a_damaged_queue_file_is_moved_aside(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, "--roles", "valkey,light")
    run.wait_for("Ctrl-C stops it.")
    assert run.stop() == 0
    place = project / "var" / "valkey"
    with next(place.glob("appendonlydir/*.incr.aof")).open("ab") as file:
        file.write(bytes(4096))
    launch(run, project, port, "--roles", "valkey,light")
    run.wait_for("Ctrl-C stops it.", times=2)
    (aside,) = place.glob("damaged-*")
    assert f"valkey could not read its files; they were moved to {aside}" in run.output
    assert next(aside.glob("*.incr.aof")).read_bytes().endswith(bytes(4096))
    assert run.stop() == 0


def test_a_web_process_that_hangs_is_replaced(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, "--roles", "valkey,web", OVEN_WEB_HEALTH_INTERVAL_S="0.25")
    run.wait_for("Ctrl-C stops it.")
    web = run.only("--ws-max-size 65536")
    assert not wait_until(lambda: "web " in run.output, 3)  # one that answers is left alone
    os.kill(web, signal.SIGSTOP)
    run.wait_for("web has not answered /health for 1.5 s; killing it")
    run.wait_for("web was killed by SIGKILL; starting it again")
    assert wait_until(lambda: run.pids("--ws-max-size 65536") not in ([], [web]))
    assert wait_until(lambda: health.healthy(health.Address("127.0.0.1", port)))
    assert run.output.count("killing it") == 1
    assert run.stop() == 0


def test_a_wrong_interval_is_refused(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, OVEN_WEB_HEALTH_INTERVAL_S="soon")
    assert run.process.wait(20) == 1
    assert run.output == "oven: OVEN_WEB_HEALTH_INTERVAL_S='soon' is not a number of seconds, 0 or more\n"


def test_what_is_kept_is_for_its_account_alone(run: Run, project: Path, port: int) -> None:
    data = project / "var"
    data.mkdir(mode=0o755)
    launch(run, project, port, "--roles", "valkey,light")
    run.wait_for("Ctrl-C stops it.")
    found = [data, *data.rglob("*")]
    assert [path for path in found if not path.is_socket() and stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert data / "oven.sqlite3" in found
    assert run.stop() == 0


def test_a_directory_of_everybody_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(checks.Refused, match="shared by all accounts"):
        checks.private_directory(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_a_web_process_that_cannot_start_is_explained(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, FAKE_WEB="broken")
    assert run.process.wait(20) == 1
    assert "Oven did not start: web is not ready" in run.output
    assert "web ended with exit code 1; its last lines:\n  web is broken: no module named moon" in run.output
    assert run.pids() == []


def test_only_the_chosen_roles_are_started(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, "--roles", "light, web,valkey")
    run.wait_for("Ctrl-C stops it.")
    assert "Roles    valkey, web, light\n" in run.output
    assert "Pieces" not in run.output
    assert run.pids("manage.py light_worker")
    assert not [name for name in ("capture_worker", "bake_worker", "scheduler", "serve.py") if run.pids(name)]
    assert run.stop() == 0
    assert run.pids() == []


def test_roles_without_web_are_ready_when_they_run(run: Run, project: Path, port: int) -> None:
    launch(run, project, port, "--roles=capture,bundle", REDIS_URL="redis://127.0.0.1:1/0")
    run.wait_for("Ctrl-C stops it.")
    assert "Address" not in run.output
    run.only("manage.py bundle_worker")
    assert len(run.pids("manage.py capture_worker")) == len(run.pids("--skip-lane heavy")) == 1
    assert not run.pids("manage.py light_worker")


def test_options() -> None:
    options = cli.parse(["--port", "8000", "--workers", "3"], {"OVEN_DATA": "kept", "OVEN_FROM": "/srv/a/../b"})
    assert options == services.Options(8000, Path("/srv/b/kept"), 3, "127.0.0.1")
    assert cli.parse([], {"OVEN_PORT": "9"}) == services.Options(port=9)
    assert cli.parse([], {}).roles == services.ROLES
    assert cli.parse(["--roles", "web,capture,"], {"REDIS_URL": "redis://queue"}).roles == ("web", "capture")
    assert services.Options(host="0.0.0.0").address == "http://localhost:3002"
    assert services.Options(host="oven.example").address == "http://oven.example:3002"


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ("web,oven", "'oven' is not one of valkey, web, pieces, capture, bake, bundle, light, scheduler"),
        (",", "at least one of valkey, web,"),
        ("web", "without valkey, REDIS_URL must name a server"),
    ],
)
def test_roles_that_cannot_run_are_refused(roles: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        cli.parse(["--roles", roles], {})
    assert refusal.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--port", "65535"], ["--port", "x"], ["--workers", "-1"], ["--wrong"]])
def test_wrong_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        cli.parse(arguments, {})
    assert refusal.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


def test_what_the_checks_find_is_said_at_the_start(run: Run, project: Path, port: int) -> None:
    checked = "System check identified some issues:\n\nWARNINGS:\n?: (oven.W001) OVEN_A is not a setting.\n"
    launch(run, project, port, FAKE_MIGRATE=f"{checked}No migrations to apply.")
    run.wait_for("Ctrl-C stops it.")
    assert "oven      | OVEN_A is not a setting.\n" in run.output
    assert "WARNINGS" not in run.output
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("1", "SystemCheckError: System check identified some issues:\n\nERRORS:\n?: (oven.E001) OVEN_B is missing."),
        ("78", "OVEN_B is missing."),
    ],
)
def test_settings_that_are_wrong_stop_everything(run: Run, project: Path, port: int, code: str, text: str) -> None:
    launch(run, project, port, FAKE_MIGRATE=text, FAKE_MIGRATE_CODE=code)
    assert run.process.wait(20) == 1
    assert "oven      | Oven did not start: settings are wrong\nOVEN_B is missing.\n" in run.output
    assert "database" not in run.output


def test_a_port_of_the_environment_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse([], {"OVEN_PORT": "x"})
    assert caught.value.code == 2
    assert "OVEN_PORT='x' is not a number from 1 to 65534" in capsys.readouterr().err
