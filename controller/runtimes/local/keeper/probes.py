"""Ask a unix socket whether the application behind it answers, without ever waiting for it."""

from __future__ import annotations

import os
import socket


class HttpProbe:
    """One GET over a unix socket, carried on whenever :meth:`poll` is called."""

    def __init__(self, path: str, target: str) -> None:
        self._path = path
        self._target = target
        self._socket: socket.socket | None = None
        self._answer = b""

    def poll(self) -> bool:
        """Carry on; True once the application answered with a status below 500.

        A refused connection, an error status or a broken answer begins the probe anew.
        """
        try:
            if self._socket is None:
                self._begin()
            assert self._socket is not None  # for the type checker: _begin sets it
            while len(self._answer) < 12:
                chunk = self._socket.recv(1024)
                if not chunk:
                    self.close()
                    return False
                self._answer += chunk
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False
        status = self._answer[9:12]
        self.close()
        return status.isdigit() and 100 <= int(status) < 500

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._answer = None, b""

    def _begin(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._socket.connect(self._path)
        os.chmod(self._path, 0o600)
        self._socket.send(
            f"GET {self._target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "User-Agent: streamspace-readiness\r\n\r\n".encode()
        )


def greets_as_rfb(path: str, seconds: float) -> bool:
    """Whether a VNC server answers on ``path``; waits for its greeting at most ``seconds``."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(path)
            return connection.recv(4, socket.MSG_WAITALL) == b"RFB "
        except OSError:
            return False
