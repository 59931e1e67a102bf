# ruff: noqa: E501 - a hint is one line of the table
"""The table of built-in hints: what is met, what is suggested, and the faults of the benchmark that trigger it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

END: Final = "(end of the run)"
LEDGER: Final = "(ledger)"
_FAILED: Final = ("failed",)


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules are asked about: a step, the end of a run, or its ledger. ``codes`` are errnos, exit and HTTP codes."""

    kind: str
    status: str
    types: tuple[str, ...] = ()
    said: str = ""
    codes: tuple[int, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A suggestion for what fits every condition that is set.

    ``kinds`` match as file names do; ``types`` are class names, with or without their module, anywhere in the chain of
    exceptions; ``says`` is any of some words of the message or detail, which a level of content may have left out;
    ``payload`` names keys and the values that fit. ``faults`` are cases of ``bench/faults`` that trigger it.
    """

    name: str
    hint: str
    kinds: tuple[str, ...]
    faults: tuple[str, ...]
    statuses: tuple[str, ...] = _FAILED
    types: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    codes: Container[int] = ()
    payload: Mapping[str, Container[Any]] = field(default_factory=dict)

    def fits(self, subject: Subject) -> bool:
        """Whether every condition that is set holds."""
        said = subject.said.lower()
        return (
            subject.status in self.statuses
            and any(fnmatchcase(subject.kind, kind) for kind in self.kinds)
            and (not self.types or any(_is_named(each, self.types) for each in subject.types))
            and (not self.says or any(words in said for words in self.says))
            and (not self.codes or any(code in self.codes for code in subject.codes))
            and all(subject.payload.get(key) in wanted for key, wanted in self.payload.items())
        )


def _is_named(type_: str, names: tuple[str, ...]) -> bool:
    return type_ in names or type_.rpartition(".")[2] in names


class _Positive:
    """The numbers above zero; what is no number is not among them (a range would be searched for it, one by one)."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and value > 0


_COUNTED: Final = _Positive()
_REMOTE: Final = ("vllm.*", "http_client.*")
_GIT_WRITES: Final = ("add", "commit", "checkout", "rm", "mv", "reset", "merge", "stash", "switch", "restore", "rebase")
_GIT_READS: Final = ("show", "cat-file", "diff", "diff-tree", "fsck", "log", "rev-list")

RULES: Final = (
    # -- anywhere
    Rule(
        name="disk full",
        hint="No space was left where this was to be written: `df -h` and `df -i` there, then free some and run it again.",
        kinds=("*",), says=("no space left", "errno 28"), faults=("process.disk_full",),
    ),
    # -- FAISS
    Rule(
        name="faiss file missing",
        hint="Check that the index file exists under this very path (a relative one counts from the working directory); else build it.",
        kinds=("faiss.read_index*",), says=("could not open",), faults=("faiss.file_missing",),
    ),
    Rule(
        name="faiss file unreadable",
        hint="The index file may be cut short, or be no FAISS index: compare its size with the place it was copied from, and write to a "
             "temporary name before renaming.",
        kinds=("faiss.read_index*",), types=("RuntimeError",), faults=("faiss.file_truncated",),
    ),
    Rule(
        name="faiss dimension",
        hint="Compare the last number of `shape` with the index's `d` in the payload: a query needs the model that the index was built with.",
        kinds=("faiss.search", "faiss.add*", "faiss.range_search", "faiss.train"), types=("AssertionError",),
        faults=("faiss.wrong_dimension",),
    ),
    Rule(
        name="faiss untrained",
        hint="Train the index before vectors are added or searched: `is_trained` in the payload says whether it is.",
        kinds=("faiss.*",), says=("'is_trained' failed",), faults=("faiss.untrained",),
    ),
    Rule(
        name="faiss nprobe",
        hint="Set `nprobe` to 1 or more, and to no more than the index's number of lists.",
        kinds=("faiss.search", "faiss.range_search"), says=("nprobe",), faults=("faiss.bad_nprobe",),
    ),
    Rule(
        name="faiss empty",
        hint="The index that was searched holds no vectors (`ntotal` is 0): look at the step that was to fill or to read it.",
        kinds=("faiss.search",), statuses=("completed",), payload={"missing": _COUNTED, "ntotal": (0,)},
        faults=("faiss.empty_index",),
    ),
    Rule(
        name="faiss fewer than k",
        hint="Some neighbours are missing (ids of -1): `k` is more than the vectors that were reached. Compare it with `ntotal`; an IVF "
             "index reaches more with a higher `nprobe`.",
        kinds=("faiss.search",), statuses=("completed",), payload={"missing": _COUNTED}, faults=("faiss.k_beyond_ntotal",),
    ),
    Rule(
        name="faiss without a GPU",
        hint="This build of FAISS has no GPU functions: install faiss-gpu in its place, or stay on the CPU index.",
        kinds=(END,), types=("AttributeError",), says=("index_cpu_to_gpu", "standardgpuresources", "index_cpu_to_all_gpus"),
        faults=("faiss.gpu_on_cpu_build",),
    ),
    # -- DuckDB
    Rule(
        name="duckdb locked",
        hint="Another process has the database open for writing; the message names its pid. Open it with `read_only=True`, or let the "
             "other one close it first.",
        kinds=("duckdb.*",), types=("IOException",), says=("could not set lock", "conflicting lock"), faults=("duckdb.locked",),
    ),
    Rule(
        name="duckdb file missing",
        hint="Check that the database exists under this very path (a relative one counts from the working directory); only a connection "
             "that may write creates one.",
        kinds=("duckdb.connect",), types=("IOException",), says=("does not exist",), faults=("duckdb.file_missing",),
    ),
    Rule(
        name="duckdb file corrupt",
        hint="The file is no DuckDB database, or a damaged one: compare it with its source or a backup, and keep a `.wal` beside it.",
        kinds=("duckdb.*",), types=("IOException", "SerializationException", "InternalException", "FatalException"),
        says=("not a valid duckdb", "corrupt", "checksum"), faults=("duckdb.corrupt_file",),
    ),
    Rule(
        name="duckdb path",
        hint="Check each folder on the way to the database, and whether this user may open the file: `namei -l PATH`.",
        kinds=("duckdb.connect",), types=("IOException", "PermissionException"), faults=("duckdb.unreadable",),
    ),
    Rule(
        name="duckdb name unknown",
        hint="`SHOW ALL TABLES` lists what this database has: is it the file that was meant, and was it filled by now?",
        kinds=("duckdb.*",), types=("CatalogException",), faults=("duckdb.missing_table", "http_mcp.tool_fails"),
    ),
    Rule(
        name="duckdb value",
        hint="Some row has a value that cannot be converted: `TRY_CAST` gives NULL there, and `WHERE TRY_CAST(…) IS NULL` finds the rows.",
        kinds=("duckdb.*",), types=("ConversionException",), faults=("duckdb.late_error",),
    ),
    Rule(
        name="duckdb time-out",
        hint="See with `EXPLAIN ANALYZE` where the query's time goes, or raise `max_execution_time`.",
        kinds=("duckdb.*",), statuses=("timed_out",), faults=("duckdb.time_out",),
    ),
    Rule(
        name="duckdb interrupted",
        hint="Somebody called `interrupt()` on the connection, from another thread or by Ctrl-C: look at what ran beside it.",
        kinds=("duckdb.*",), types=("InterruptException",), faults=("duckdb.interrupted",),
    ),
    Rule(
        name="duckdb memory",
        hint="Raise `memory_limit`, or give the query a `temp_directory` to spill to; fewer `threads` need less as well.",
        kinds=("duckdb.*",), types=("OutOfMemoryException",), faults=("duckdb.out_of_memory",),
    ),
    # -- git
    Rule(
        name="git missing",
        hint="No git was found: install it, or name it in `GIT_PYTHON_GIT_EXECUTABLE`; `PATH` may differ under a service manager.",
        kinds=("git.*",), types=("GitCommandNotFound",), faults=("git.binary_missing",),
    ),
    Rule(
        name="git hangs",
        hint="The command ran into its limit: does it wait for credentials (`GIT_TERMINAL_PROMPT=0` makes it fail at once), a lock, a hook "
             "or the network?",
        kinds=("git.*",), statuses=("timed_out",), faults=("git.hang",),
    ),
    Rule(
        name="git killed",
        hint="git was ended by a signal (the exit code's number): who sent it? The kernel out of memory (`dmesg`), a supervisor, a limit.",
        kinds=("git.*",), codes=range(-64, 0), faults=("git.killed",),
    ),
    Rule(
        name="git path",
        hint="The path may not exist at that revision, or never was tracked: `git ls-tree -r --name-only REVISION` lists what does.",
        kinds=("git.*",), codes=(128,), payload={"subcommand": ("blame",)}, faults=("git.blame_missing_path",),
    ),
    Rule(
        name="git lock",
        hint="Another git may hold `.git/index.lock`. See whether one runs in that repository; remove the file only when none does.",
        kinds=("git.*",), codes=(128,), payload={"subcommand": _GIT_WRITES}, faults=("git.index_lock",),
    ),
    Rule(
        name="git objects",
        hint="`git fsck --full` tells whether objects are damaged or missing; a fresh clone, or `git fetch --refetch`, brings them back.",
        kinds=("git.*",), codes=(128,), payload={"subcommand": _GIT_READS}, faults=("git.corrupt_object",),
    ),
    Rule(
        name="git owner",
        hint="git may refuse a repository that another user owns: compare the owner with this process's user; "
             "`git config --global --add safe.directory PATH` allows it.",
        kinds=("git.*",), codes=(128,), payload={"subcommand": ("status", "rev-parse", "ls-files", "config", "branch")},
        faults=("git.dubious_ownership",),
    ),
    # -- models over HTTP
    Rule(
        name="server overloaded",
        hint="The server limits requests: wait as its `Retry-After` says, send fewer at a time, or give the call a longer deadline.",
        kinds=_REMOTE, statuses=("failed", "timed_out", "completed"), codes=(429,), faults=("vllm.429_past_the_deadline",),
    ),
    Rule(
        name="server unavailable",
        hint="The server said 503: it may still load its model, or be drained. Ask its `/health` and read its log.",
        kinds=_REMOTE, statuses=("failed", "completed"), codes=(503,), faults=("vllm.503_twice_then_200",),
    ),
    Rule(
        name="server refused",
        hint="Nothing listens at that address: is the server up, and do host and port hold from here? `curl` its `/health`.",
        kinds=_REMOTE, types=("ConnectError", "ConnectionRefusedError", "NewConnectionError", "APIConnectionError"),
        faults=("vllm.connection_refused", "channels.all_fail"),
    ),
    Rule(
        name="server stalled",
        hint="The server took the request and did not answer in time: look at its queue and its load, then at the time limit.",
        kinds=_REMOTE, statuses=("timed_out",), faults=("vllm.read_time_out",),
    ),
    Rule(
        name="stream cut",
        hint="The connection broke in the middle of an answer: did the server, or a proxy between, restart or give up?",
        kinds=_REMOTE, types=("RemoteProtocolError", "IncompleteRead", "ReadError", "ChunkedEncodingError"), faults=("vllm.stream_cut",),
    ),
    # -- channels
    Rule(
        name="bm25 index",
        hint="The BM25 index is not where it is looked for: build it, or correct the folder.",
        kinds=("bm25.*",), types=("FileNotFoundError", "NotADirectoryError"), faults=("channels.bm25_absent", "channels.all_fail"),
    ),
    Rule(
        name="model missing",
        hint="The model is not on this machine under that name: check the path, and whether downloads are allowed here.",
        kinds=("splade.*", "embeddings.*", "rerank.*", "onnxruntime.*"),
        types=("OSError", "FileNotFoundError", "NoSuchFile", "ModelUnavailableError", "LocalEntryNotFoundError"),
        faults=("channels.splade_model_missing",),
    ),
    Rule(
        name="worker killed",
        hint="A worker process died under the call: look for the kernel's out-of-memory killer (`dmesg`), or run it with one worker.",
        kinds=("*",), types=("BrokenProcessPool", "WorkerLostError"), faults=("channels.splade_worker_killed",),
    ),
    Rule(
        name="reranker",
        hint="The reranker failed, and an answer may have gone out unranked: run it alone on the same pairs to see its own error.",
        kinds=("rerank.*",), statuses=("failed", "timed_out"), faults=("channels.cross_encoder_raises",),
    ),
    # -- HTTP and MCP
    Rule(
        name="tool unknown",
        hint="The server has no tool of that name: compare with its `tools/list`; the client may know an older version.",
        kinds=("tool.call",), says=("unknown tool",), faults=("http_mcp.unknown_tool",),
    ),
    Rule(
        name="tool arguments",
        hint="The arguments do not fit the tool's input schema: compare them with the one in `tools/list`.",
        kinds=("tool.call",), says=("validation error",), faults=("http_mcp.bad_parameters",),
    ),
    Rule(
        name="call cancelled",
        hint="The client cancelled the call or went away: compare how long it took with the client's time limit.",
        kinds=("tool.call", "http.request"), says=("cancelled",), faults=("http_mcp.cancelled", "http_mcp.pipe_closed"),
    ),
    Rule(
        name="client gone",
        hint="The client left before the response was complete: compare how long it took with the time limits of client and proxy.",
        kinds=("http.request",), statuses=("completed", "failed"), says=("client disconnected",),
        faults=("http_mcp.client_disconnects",),
    ),
    Rule(
        name="not allowed",
        hint="The request was refused for want of permission: which credentials did it carry, and what does the middleware in front expect?",
        kinds=("http.request",), statuses=("completed",), codes=(401, 403), faults=("http_mcp.refused_by_middleware",),
    ),
    # -- the end of the run
    Rule(
        name="crashed",
        hint="The process died of a fault in native code. Run it with `python -X faulthandler`; what was in flight is where to look.",
        kinds=(END,), statuses=("interrupted", "failed"), codes=(-11, -7, -6, -4, -8), faults=("faiss.sigsegv",),
    ),
    Rule(
        name="killed",
        hint="SIGKILL comes from outside: the kernel out of memory (`dmesg | grep -i oom`), a container's limit, or a supervisor out of "
             "patience.",
        kinds=(END,), statuses=("interrupted", "failed"), codes=(-9,),
        faults=("process.sigkill", "process.out_of_memory", "process.dead_lock"),
    ),
    Rule(
        name="terminated",
        hint="SIGTERM is a request to stop: a deployment, a supervisor, or a scheduler sent it; its log says why.",
        kinds=(END,), statuses=("interrupted", "failed"), codes=(-15,), faults=("process.sigterm",),
    ),
    Rule(
        name="file missing",
        hint="A file was not there: a relative path counts from the working directory, which differs under a service manager.",
        kinds=(END,), types=("FileNotFoundError",), faults=("process.same_run_id",),
    ),
    Rule(
        name="exit code",
        hint="No exception is on record that ended the process: look for `sys.exit` and `os._exit`, and for what it printed last.",
        kinds=(END,), codes=range(1, 256), faults=("process.os_exit",),
    ),
    Rule(
        name="records dropped",
        hint="The ledger could not take every record: see whether the disk that holds the data directory is full or read-only.",
        kinds=(LEDGER,), statuses=("dropped",), faults=("process.ledger_disk_full",),
    ),
)  # fmt: skip
