"""Children's output: prefixed on stdout, and plain in one log file each."""

import contextlib
import os
import select
from collections.abc import Callable
from pathlib import Path

LOG_LIMIT = 5 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_SELF = "oven"


class LogFile:
    """A file that moves to `<name>.1` when it is full."""

    def __init__(self, path: Path, limit: int = LOG_LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """Append; a full disk must not stop the children."""
        with contextlib.suppress(OSError):
            if self._size and self._size + len(data) > self._limit:
                self._rotate()
            self._size += os.write(self._fd, data)

    def _rotate(self) -> None:
        full = self._fd
        os.replace(self._path, f"{self._path}.1")
        self._open()
        os.close(full)

    def close(self) -> None:
        os.close(self._fd)


class Console:
    """Prints lines with the name of who said them, and files them under that name."""

    def __init__(self, logs: Path, *, fd: int = 1, colour: bool | None = None) -> None:
        self._logs = logs
        self._fd = fd
        self._open = True
        self._colour = _wants_colour(fd) if colour is None else colour
        self._width = len(_SELF)
        self._names: dict[str, int] = {}
        self._files: dict[str, LogFile] = {}
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def expect(self, name: str) -> None:
        """Make room for a name, so that the columns line up."""
        self._width = max(self._width, len(name))
        self._names.setdefault(name, len(self._names))

    def _file(self, name: str) -> LogFile:
        if name not in self._files:
            self._files[name] = LogFile(self._logs / f"{name}.log")
        return self._files[name]

    def line(self, name: str, text: bytes, *, show: bool = True, log: bool = True) -> None:
        """One line of a child's."""
        if log:
            self._file(name).write(text + b"\n")
        if show:
            self.plain(self._prefix(name) + text)

    def say(self, text: str) -> None:
        """One line of the supervisor's own."""
        self.line(_SELF, text.encode())

    def plain(self, text: bytes) -> None:
        """Print without a name. Output that nobody can take any more is dropped."""
        data = memoryview(text + b"\n")
        while self._open and data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody who shares the terminal made it non-blocking
                select.select([], [self._fd], [], 1.0)
            except OSError:  # the terminal or the reader of the pipe is gone
                self._open = False

    def _prefix(self, name: str) -> bytes:
        label = f"{name:<{self._width}} |"
        if self._colour:
            place = self._names.get(name, 0)
            code = 1 if name == _SELF else _COLOURS[place % len(_COLOURS)]
            label = f"\033[{code}m{label}\033[0m"
        return f"{label} ".encode()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def _wants_colour(fd: int) -> bool:
    return os.isatty(fd) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Reader:
    """Cuts what comes out of a pipe into lines."""

    def __init__(self, fd: int, take: Callable[[bytes], None]) -> None:
        self.fd = fd
        self._take = take
        self._rest = b""

    def read(self) -> bool:
        """Take what is there; False at the end of the output."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            self._take(text.rstrip(b"\r"))
        if self._rest and (not data or len(self._rest) > _LONGEST_LINE):
            self._take(self._rest)
            self._rest = b""
        return bool(data)

    def close(self) -> None:
        os.close(self.fd)
