"""What children say is prefixed, filed and rotated."""

import os
from pathlib import Path

from oven_site.supervisor.output import Console, LogFile, Reader
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
