"""Knows whether a folder lies on a network: there a write may wait for another machine, and an application must not."""

from __future__ import annotations

import os
import re
from typing import Final

NETWORK: Final = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs", "beegfs", "pvfs2", "glusterfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.s3fs", "fuse.goofys", "fuse.gcsfuse", "fuse.rclone",
    "fuse.juicefs", "fuse.mfs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.mount-s3", "fuse.davfs",
})  # fmt: skip
"""File systems by the names that Linux gives them: what they hold lies on other machines."""
_MOUNTS: Final = "/proc/self/mountinfo"


def network_of(path: str) -> str | None:
    """Return the network file system on which ``path`` lies, or will; None for a local one, and where nobody can say."""
    real = os.path.realpath(path)
    best, found = -1, ""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                point, kind = _mount(line)
                if len(point) >= best and (real + "/").startswith(point.rstrip("/") + "/"):
                    best, found = len(point), kind  # of two on one place the later one is seen
    except OSError:
        return None
    return found if found in NETWORK else None


def _mount(line: str) -> tuple[str, str]:
    """Return where a file system is mounted, and its kind (proc(5): optional fields end in a hyphen)."""
    before, _, after = line.partition(" - ")
    point = before.split(" ")[4]
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point), after.split(" ")[0]
