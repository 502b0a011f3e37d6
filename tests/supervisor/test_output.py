"""What children say is prefixed, filed and rotated."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from supervisor.output import Console, LogFile, Reader
from tests.supervisor.harness import Run, fake


def test_output_is_prefixed_and_filed(run: Run) -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); print('end', end='')"
    run.children(fake("a", code, restart=False), fake("longer-name"))
    run.wait_for("a           | out\n")
    run.wait_for("a           | err\n")
    run.wait_for("a           | end\n")
    assert (run.logs / "a.log").read_text() == "out\nerr\nend\n"
    assert "\033[" not in run.output


def test_a_log_that_is_full_moves_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = LogFile(path, limit=10)
    for text in (b"12345678\n", b"abcdefgh\n", b"ABCDEFGH\n"):
        log.write(text)
    log.close()
    assert path.read_bytes() == b"ABCDEFGH\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"abcdefgh\n"
    assert sorted(os.listdir(tmp_path)) == ["x.log", "x.log.1"]


def test_a_log_goes_on_where_it_stood(tmp_path: Path) -> None:
    for _ in range(2):
        log = LogFile(tmp_path / "x.log", limit=20)
        log.write(b"12345678\n")
        log.close()
    assert (tmp_path / "x.log").read_bytes() == b"12345678\n" * 2


@contextlib.contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_log_whose_rotation_failed_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = LogFile(path, limit=10)
    log.write(b"12345678\n")
    with no_file_can_be_opened():  # the old file moves aside, and there is no new one
        log.write(b"abcdefgh\n")
    assert log.problem == "Too many open files"
    log.write(b"ABCDEFGH\n")
    log.close()
    assert path.read_bytes() == b"ABCDEFGH\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"12345678\nabcdefgh\n"


def test_a_log_that_cannot_move_aside_is_bounded_and_moves_later(tmp_path: Path) -> None:
    path, moved = tmp_path / "x.log", tmp_path / "x.log.1"
    (moved / "in the way").mkdir(parents=True)
    log = LogFile(path, limit=20)
    for number in range(9):
        log.write(b"line %d\n" % number)
        assert path.stat().st_size <= 3 * 20
    assert path.read_bytes().endswith(b"line 8\n")
    (moved / "in the way").rmdir()
    moved.rmdir()
    log.write(b"ABCDEFGH" * 3 + b"\n")
    log.close()
    assert path.read_bytes() == b"ABCDEFGH" * 3 + b"\n"


def test_a_log_that_was_removed_or_moved_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    log = LogFile(path)
    log.write(b"one\n")
    path.rename(tmp_path / "elsewhere")
    log.write(b"two\n")
    assert path.read_bytes() == b"two\n"
    path.unlink()
    path.parent.rmdir()
    log.write(b"three\n")
    log.close()
    assert path.read_bytes() == b"three\n"


def test_the_logs_of_all_names_are_opened_at_the_start(tmp_path: Path) -> None:
    console = Console(tmp_path)
    console.expect("light")
    console.expect("signin", log=False)
    assert sorted(os.listdir(tmp_path)) == ["light.log", "oven.log"]
    with no_file_can_be_opened():
        console.line("light", b"the first line", show=False)
    console.close()
    assert (tmp_path / "light.log").read_bytes() == b"the first line\n"


def test_a_log_that_cannot_be_opened_ends_nothing(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    (tmp_path / "light.log").mkdir()
    console = Console(tmp_path, fd=write_end)
    for text in (b"one", b"two"):
        console.line("light", text, show=False)
    problem = f"oven | the log of light in {tmp_path} cannot be written as it should be: Is a directory\n"
    assert os.read(read_end, 1000).decode() == problem  # once
    (tmp_path / "light.log").rmdir()
    console.line("light", b"three", show=False)
    console.close()
    assert (tmp_path / "light.log").read_bytes() == b"three\n"
    os.close(read_end)
    os.close(write_end)


def test_a_full_disk_ends_neither_logs_nor_output(tmp_path: Path) -> None:
    (tmp_path / "web.log").symlink_to("/dev/full")
    full = os.open("/dev/full", os.O_WRONLY)
    console = Console(tmp_path, fd=full)
    console.line("web", b"one")
    console.say("a name that is not UTF-8: \udcff")
    with (tmp_path / "room").open("wb") as room:
        os.dup2(room.fileno(), full)
    console.line("web", b"two")
    console.close()
    os.close(full)
    assert (tmp_path / "room").read_bytes().endswith(b"web  | two\n")


def test_a_supervisor_without_log_files_runs_on(run: Run) -> None:
    (run.logs / "a.log").mkdir(parents=True)
    run.children(fake("a", "print('out', flush=True); import time; time.sleep(600)"), fake("b", "print('end')"))
    run.wait_for("a    | out\n")
    run.wait_for("b ended with exit code 0")
    assert run.stop() == 0


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    console = Console(tmp_path, fd=write_end, colour=True)
    console.expect("web")
    console.line("web", b"hello")
    assert os.read(read_end, 100) == b"\033[36mweb  |\033[0m hello\n"
    assert (tmp_path / "web.log").read_bytes() == b"hello\n"
    console.close()
    os.close(read_end)
    os.close(write_end)


def test_a_reader_that_left_is_no_problem(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    console = Console(tmp_path, fd=write_end)
    console.line("web", b"one")
    console.line("web", b"two")
    assert (tmp_path / "web.log").read_bytes() == b"one\ntwo\n"
    console.close()
    os.close(write_end)


def test_lines_are_put_together_from_pieces() -> None:
    read_end, write_end = os.pipe()
    lines: list[bytes] = []
    reader = Reader(read_end, lines.append)
    os.write(write_end, b"one\r\ntw")
    assert reader.read()
    os.write(write_end, b"o\n\nrest")
    assert reader.read()
    assert lines == [b"one", b"two", b""]
    os.close(write_end)
    assert not reader.read()
    assert lines == [b"one", b"two", b"", b"rest"]
    reader.close()
