"""A small repository with everything awkward in it, and real servers of it: bare, and with the recorder in front."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import git
import httpx2
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from processes import BIN, OBS, environ

REV = str(BIN / "codeintel-rev")
WATCHED = (OBS, "run", "--")
LAUNCHERS = {"bare": (), "watched": WATCHED}
PAY = '''"""Charges cards."""


class Gateway:
    """Talks to the bank."""

    def charge(self, number, amount):
        """Take money from a card."""
        return self.bank.take(number, amount)


def charge_card(number, amount):
    """Retry a charge until the bank answers."""
    return Gateway().charge(number, amount)
'''
FILES = {
    "pay.py": PAY.encode(),
    "web/app.ts": b"export function chargeButton(label: string) {\n  return label;\n}\n",
    "docs/guide.md": b"# Guide\n\nHow to charge a card.\n",
    "latin.txt": b"caf\xe9 charge\n",
    "blob.bin": b"charge\0charge\n",
    ".gitignore": b"ignored.log\n",
    "crlf.txt": b"one\r\ncharge two\r\n",
}


def commit(root, message="change"):
    """Commits everything, as somebody who is not us."""
    with git.Repo.init(root, initial_branch="main") as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=Ann", "user.email=ann@example.invalid"]).commit("-qm", message)
        return repo.head.commit.hexsha


def write_repository(root):
    """Two commits, and then an untracked file, an ignored one, and links that lead out."""
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "outside").symlink_to("/etc/passwd")
    (root / "outdir").symlink_to("/etc")
    Path(os.fsdecode(os.fsencode(root) + b"/odd\xff.txt")).write_bytes(b"charge oddly\n")
    commit(root, "Add the gateway")
    (root / "pay.py").write_bytes(FILES["pay.py"].replace(b"until", b"till"))
    commit(root, "Say till")
    (root / "new.py").write_text("charge = 1\n")
    (root / "ignored.log").write_text("charge\n")


def rev_environ(folder):
    """Without a model: what these tests look at needs none, and indexing is quick."""
    nowhere, cache = folder / "nowhere", folder / "cache"
    return environ(CODEINTEL_REV_MODEL_DIR=str(nowhere), CODEINTEL_REV_CACHE=str(cache))


def rev(folder, *arguments, launcher=()):
    """Run codeintel-rev to its end."""
    command = [*launcher, REV, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=rev_environ(folder), capture_output=True, text=True, timeout=100, check=False
    )


@dataclass(frozen=True)
class Served:
    """A server that listens; `folder` holds the repository as `repo`."""

    folder: Path
    launcher: tuple[str, ...]
    url: str
    process: subprocess.Popen[str]

    @property
    def root(self):
        return self.folder / "repo"

    def client(self):
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False)


def announced(process):
    """What `serve --json` says when it listens; an assertion when it ends instead."""
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return json.loads("".join(lines))


@contextmanager
def serving(folder, *options, launcher=()):
    """A real server on a free port of this machine, ended by SIGTERM, which has to be a good end."""
    command = [*launcher, REV, "serve", "repo", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, cwd=folder, env=rev_environ(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Served(folder, launcher, announced(process)["url"], process)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            assert (process.returncode, [line for line in err.splitlines() if "Traceback" in line]) == (0, [])
        finally:
            process.kill()


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """Indexed, lexically. Tests that change something make their own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "repo").mkdir()
    write_repository(folder / "repo")
    done = rev(folder, "index", "repo")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session", params=LAUNCHERS)
def server(request, repository):
    with serving(repository, launcher=LAUNCHERS[request.param]) as served:
        yield served


@contextmanager
def own_server(folder, *options, launcher=()):
    """One that a test may do with as it likes."""
    (folder / "repo").mkdir()
    write_repository(folder / "repo")
    assert rev(folder, "index", "repo").returncode == 0
    with serving(folder, *options, launcher=launcher) as served:
        yield served


def behind(folder):
    """Makes an index that is a commit behind its repository; what comes back makes it so again, at the same place."""
    used, kept = folder / "used", folder / "kept"
    (used / "repo").mkdir(parents=True)
    write_repository(used / "repo")
    assert rev(used, "index", "repo").returncode == 0
    (used / "repo" / "later.py").write_text("def refund_card():\n    return 1\n")
    commit(used / "repo")
    used.rename(kept)

    def again():
        shutil.rmtree(used, ignore_errors=True)
        return shutil.copytree(kept, used, symlinks=True)

    return again


@asynccontextmanager
async def session(served, transport):
    """A real client, over stdio (with a server of its own) or HTTP."""
    if transport == "http":
        opened = streamable_http_client(f"{served.url}/mcp")
    else:
        program, *rest = [*served.launcher, REV, "mcp", "repo"]
        opened = stdio_client(
            StdioServerParameters(command=program, args=rest, cwd=served.folder, env=rev_environ(served.folder))
        )
    async with opened as streams, ClientSession(*streams[:2]) as client:
        await client.initialize()
        yield client


async def asked(served, transport, *calls):
    """Results of these tool calls, each (name, arguments), in one session."""
    async with session(served, transport) as client:
        return [await client.call_tool(name, arguments) for name, arguments in calls]


_PASSING = ("age_seconds", "milliseconds", "pid", "indexed_at", "seconds", "share", "eta_seconds")


def lasting(answer):
    """An answer without what differs from one moment or process to the next."""
    if isinstance(answer, dict):
        return {name: lasting(value) for name, value in answer.items() if name not in _PASSING}
    return [lasting(item) for item in answer] if isinstance(answer, list) else answer
