"""The supervisor's side of `forking`: the process that has loaded the program, and forks of it."""

import contextlib
import socket
import subprocess
from collections.abc import Mapping

from supervisor.child import Backoff, Child, Process
from supervisor.forking import LONGEST, READY, Order

_ANSWER_WITHIN_S = 5.0
_ROOM = " " * 500  # for the command lines of forks: they cannot be longer than that of this process


class Loader(Process):
    """The loaded program's process. While it does not answer, children are started the long way."""

    def __init__(self, child: Child) -> None:
        super().__init__(child)
        self._channel: socket.socket | None = None
        self._loaded = False

    def loaded(self) -> bool:
        """Whether it can fork."""
        if self._channel is not None and not self._loaded:
            with contextlib.suppress(OSError):
                self._loaded = self._channel.recv(LONGEST, socket.MSG_DONTWAIT) == READY
        return self._loaded

    def fork(self, child: Child, output: int) -> int:
        """The process id of a fork that runs a child and writes to `output`. Raises OSError."""
        assert self._channel is not None
        try:
            socket.send_fds(self._channel, [Order(child.argv[1:], child.death_signal).packed()], [output])
            answer = self._channel.recv(LONGEST)
        except OSError:
            self._hang_up()  # an answer that is late would be taken for that to the next order
            raise
        if not answer:
            raise ConnectionResetError("the loaded program is gone")
        return int(answer)

    def _spawn(self, base_env: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
        self._hang_up()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(_ANSWER_WITHIN_S)
        with theirs:
            argv = (*self.child.argv, str(theirs.fileno()), _ROOM)
            return self._open(argv, base_env, output, keep=(theirs.fileno(),))

    def ended(self, code: int | None, backoff: Backoff) -> float:
        self._hang_up()
        return super().ended(code, backoff)

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel, self._loaded = None, False
