"""A port of this machine for a server that was started, and the wait until it listens."""

from __future__ import annotations

import socket
import subprocess
import time


def free() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen) -> None:
    """Return when the server listens, or when it ended without."""
    while server.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
