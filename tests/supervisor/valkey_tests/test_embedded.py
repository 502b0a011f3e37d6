"""The Valkey that comes with Oven starts, keeps its data, and copes with long paths."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import redis

from supervisor import valkey

Start = Callable[[Path], valkey.Embedded]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[valkey.Embedded] = []

    def begin(data: Path) -> valkey.Embedded:
        servers.append(valkey.start(data))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def client(server: valkey.Embedded) -> "redis.Redis":
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_starts_for_its_user_alone(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path)
    with client(server) as store:
        assert store.ping()
        settings = store.config_get("*")
    assert server.url == f"unix://{tmp_path}/run/valkey.sock?db=0"
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    wanted = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
    assert {name: settings[name] for name in wanted} == wanted
    assert settings["save"] == ""
    assert settings["aof-load-truncated"] == "yes"


def test_data_survives_a_kill(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path)
    with client(server) as store:
        store.rpush("queue", *range(1000))
    server.process.kill()
    server.process.wait()
    assert not valkey.answers(server.socket)
    with client(start(tmp_path)) as store:
        assert store.llen("queue") == 1000


def test_half_a_command_at_the_end_does_not_stop_it(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path)
    with client(server) as store:
        store.set("whole", "yes")
    server.process.kill()
    server.process.wait()
    log = next((tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof"))
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    with client(start(tmp_path)) as store:
        assert store.get("whole") == "yes"


def zeros_at_the_end(place: Path) -> None:
    with next(place.glob("*.incr.aof")).open("ab") as file:
        file.write(bytes(4096))


def noise_in_the_middle(place: Path) -> None:
    log = next(place.glob("*.incr.aof"))
    data = bytearray(log.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = Random(1).randbytes(200)
    log.write_bytes(data)


def half_a_base(place: Path) -> None:
    base = next(place.glob("*.base.rdb"))
    base.write_bytes(base.read_bytes()[:-20])


def no_file_of_the_manifest(place: Path) -> None:
    next(place.glob("*.incr.aof")).unlink()


def empty_manifest(place: Path) -> None:
    next(place.glob("*.manifest")).write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [zeros_at_the_end, noise_in_the_middle, half_a_base, no_file_of_the_manifest, empty_manifest]
)
def test_damaged_files_are_moved_aside(start: Start, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    server = start(tmp_path)
    with client(server) as store:
        store.rpush("queue", *range(1000))
    server.stop()
    place = tmp_path / "valkey" / "appendonlydir"
    damage(place)
    damaged = {path.name: path.read_bytes() for path in place.iterdir()}
    with client(start(tmp_path)) as store:
        assert store.llen("queue") == 0
        store.rpush("queue", "again")
    (aside,) = place.parent.glob("damaged-*")
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == damaged


def test_the_last_damaged_files_are_kept(tmp_path: Path) -> None:
    place = tmp_path / "valkey"
    for number in range(5):
        (place / "appendonlydir").mkdir(parents=True)
        (place / "appendonlydir" / "file").write_text(str(number))
        said = valkey.repair(tmp_path, ["# Bad file format reading the append only file x"])
        assert said is not None
        assert str(max(place.glob("damaged-*"))) in said
    assert [path.read_text() for path in sorted(place.glob("damaged-*/file"))] == ["2", "3", "4"]


def test_files_stay_where_they_are_for_any_other_reason(tmp_path: Path) -> None:
    (tmp_path / "valkey" / "appendonlydir").mkdir(parents=True)
    assert valkey.repair(tmp_path, ["# Can't open the append-only file: Permission denied"]) is None
    assert (tmp_path / "valkey" / "appendonlydir").is_dir()


def test_a_long_path_moves_the_socket(start: Start, tmp_path: Path) -> None:
    data = tmp_path / ("long-" * 20)
    server = start(data)
    assert len(os.fsencode(server.socket)) <= 100
    assert data not in server.socket.parents
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    with client(server) as store:
        assert store.ping()
    assert (data / "valkey" / "appendonlydir").is_dir()
    assert valkey.socket_path(tmp_path / ("other" * 20)) != server.socket
    server.stop()
    server.socket.parent.rmdir()


def test_somebody_elses_directory_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp")
    data = tmp_path / ("long-" * 20)
    home = valkey.socket_path(data).parent
    home.symlink_to(tmp_path)
    try:
        with pytest.raises(valkey.NotStarted):
            valkey.start(data)
    finally:
        home.unlink()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "appendonlydir").write_text("in the way")
    with pytest.raises(valkey.NotStarted, match="appendonlydir"):
        valkey.start(tmp_path)


def test_a_server_of_the_system_is_the_second_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(valkey.NotStarted, match="valkey-server"):
        valkey.binary()
    other = tmp_path / "redis-server"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert valkey.binary() == other
