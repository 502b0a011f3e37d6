"""Children's output: prefixed on stdout, and plain in one log file each."""

import contextlib
import errno
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

LOG_LIMIT = 5 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_SELF = "oven"
_READER_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)  # the terminal or the reader of the pipe


class LogFile:
    """A file that moves to `<name>.1` when it is full.

    Nothing here raises for what the disk does: a log that cannot be written loses lines (`problem` says why), and the
    file is opened again with the next line once that is possible.
    """

    problem = ""

    def __init__(self, path: Path, limit: int = LOG_LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._fd: int | None = None
        self._size = 0
        with self._noted():
            self._reopen()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem = error.strerror or str(error)

    def write(self, data: bytes) -> None:
        """Append."""
        self.problem = ""
        with self._noted():
            self._prepare(len(data))
        if self._fd is None:
            return
        with self._noted():
            if self._size > 2 * self._limit:  # it could not be moved for a long time
                os.ftruncate(self._fd, 0)
                self._size = 0
            self._size += os.write(self._fd, data)

    def _prepare(self, more: int) -> None:
        """Make room, and open the file when it is not there (any more). Raises OSError."""
        if not self._in_place():
            self._reopen()
        if self._size and self._size + more > self._limit:
            os.replace(self._path, f"{self._path}.1")
            self._reopen()

    def _in_place(self) -> bool:
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        """Open the file; what was open stays so when that fails. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._size = fd, os.fstat(fd).st_size

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None


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
        self._written: set[str] = set()
        self._file(_SELF)

    def expect(self, name: str, *, log: bool = True) -> None:
        """Make room for a name, so that the columns line up, and open its log file."""
        self._width = max(self._width, len(name))
        self._names.setdefault(name, len(self._names))
        if log:
            self._file(name)

    def _file(self, name: str) -> LogFile:
        if name not in self._files:
            self._files[name] = LogFile(self._logs / f"{name}.log")
        return self._files[name]

    def line(self, name: str, text: bytes, *, show: bool = True, log: bool = True) -> None:
        """One line of a child's."""
        if log:
            self._filed(name, text)
        if show:
            self.plain(self._prefix(name) + text)

    def _filed(self, name: str, text: bytes) -> None:
        file = self._file(name)
        before = file.problem if name in self._written else ""
        self._written.add(name)
        file.write(text + b"\n")
        if file.problem and not before:
            problem = f"the log of {name} in {self._logs} cannot be written as it should be: {file.problem}"
            self.plain(self._prefix(_SELF) + problem.encode(errors="backslashreplace"))

    def say(self, text: str) -> None:
        """One line of the supervisor's own."""
        self.line(_SELF, text.encode(errors="backslashreplace"))

    def plain(self, text: bytes) -> None:
        """Print without a name. Output that nobody can take any more is dropped."""
        data = memoryview(text + b"\n")
        while self._open and data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody who shares the terminal made it non-blocking
                select.select([], [self._fd], [], 1.0)
            except OSError as error:
                self._open = error.errno not in _READER_GONE
                return  # a file on a full disk may take the next line

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
