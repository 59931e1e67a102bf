"""What 200,000 runs over 60 days cost: disk, inodes, and the commands that list, report, compact and prune them.

The runs are copies of requests that were recorded for it: each has ids and times of its own, and checksums to match. The
unit of every ratio is the processor time of one `lstat` of each ledger file, taken in the same run; wall times are shown
because a person waits for them, and are those of one machine under whatever else it did.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec
from measure import table

from codeintel_obs.steps import Record

ROOT = Path(__file__).resolve().parent.parent
DAY_S = 86_400
FAILED = 50  # one run in so many is the one that failed
SESSIONS = 997
SESSION = b"session-of-the-template"
REFERENCE = "lstat of every ledger file"
DECODE = "typed decode of every line"
_IDS = re.compile(rb'"(?:attempt|trace_id|span_id|parent_span_id)":"([0-9a-f]+)"')
_TS = re.compile(rb'"ts":"[^"]+"')
_CRC = re.compile(rb',"crc":"[0-9a-f]{8}"\}\Z')


class Template:
    """The lines of a recorded run, with gaps where each copy has its own ids and times."""

    def __init__(self, path: Path, parent: bytes) -> None:
        data = path.read_bytes()
        self.run_id = path.stem.encode()
        self.ids = sorted(set(_IDS.findall(data)))
        self.lines = [self._gaps(line, parent) for line in data.splitlines()]

    def _gaps(self, line: bytes, parent: bytes) -> bytes:
        line = _CRC.sub(b"", line).replace(b"%", b"%%").replace(self.run_id, b"%(run)b").replace(parent, b"%(parent)b")
        for number, each in enumerate(self.ids):
            line = line.replace(each, b"%%(id%d)b" % number)
        line = line.replace(SESSION, b"%(session)b")
        return _TS.sub(b'"ts":"%(ts)b"', line)

    def copy(self, run: bytes, parent: bytes, ts: bytes, session: bytes) -> bytes:
        """Return the bytes of a run of its own."""
        own = {b"id%d" % number: b"%0*x" % (len(each), random.getrandbits(len(each) * 4))
               for number, each in enumerate(self.ids)}  # fmt: skip
        own |= {b"run": run, b"parent": parent, b"ts": ts, b"session": session}
        lines = [line % own for line in self.lines]
        return b"".join(b'%b,"crc":"%08x"}\n' % (line, crc32(line)) for line in lines)


def record(folder: Path) -> tuple[list[Template], Template, bytes]:
    """Run the service, and return what it recorded: requests, the failed one last, its process's run and manifest day."""
    environ = {**os.environ, "CODEINTEL_OBS_DATA_DIR": str(folder), "CODEINTEL_OBS_FSYNC": "none"}
    subprocess.run([sys.executable, str(ROOT / "bench/runs_many_service.py")], check=True, env=environ, cwd=ROOT)
    paths = sorted(folder.glob("telemetry/runs/*/*.jsonl"))
    process, requests = paths[0], paths[1:]
    named = process.stem.encode()
    return [Template(path, named) for path in requests], Template(process, b"\0"), named


def fill(data_dir: Path, runs: int, days: int) -> None:
    """Write ``runs`` closed runs, spread over ``days`` days up to now, and each day the run of the process they were in."""
    requests, process, _ = record(data_dir)
    for path in data_dir.glob("telemetry/runs/*/*.jsonl"):
        path.unlink()
    now, done, parent = time.time(), "", b""
    for number in range(runs):
        moment = now - days * DAY_S * (runs - number) / runs
        day = time.strftime("%Y-%m-%d", time.gmtime(moment))
        if day != done:
            done, parent = day, _run_id(moment)
            _write(data_dir, day, parent, process.copy(parent, b"", _ts(moment), b""), moment)
        template = requests[-1] if number % FAILED == 0 else requests[number % (len(requests) - 1)]
        run = _run_id(moment)
        _write(data_dir, day, run, template.copy(run, parent, _ts(moment), b"session-%d" % (number % SESSIONS)), moment)


def _run_id(moment: float) -> bytes:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(moment))
    return f"{stamp}.{int(moment * 1000) % 1000:03d}-{random.getrandbits(40):010x}".encode()


def _ts(moment: float) -> bytes:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{stamp}.{int(moment * 1_000_000) % 1_000_000:06d}Z".encode()


def _write(data_dir: Path, day: str, run: bytes, data: bytes, moment: float) -> None:
    folder = f"{data_dir}/telemetry/runs/{day}"
    path = f"{folder}/{run.decode()}.jsonl"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileNotFoundError:
        os.makedirs(folder)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.write(fd, data)
    os.utime(fd, (moment, moment))
    os.fchmod(fd, 0o440)
    os.close(fd)


# -- what it costs --------------------------------------------------------------------------------------------------------


def look(data_dir: Path) -> tuple[int, int]:
    """Return how many files a ledger is, and their bytes on the disk."""
    files, size = 0, 0
    for folder, _, names in os.walk(data_dir / "telemetry"):
        for name in names:
            size += os.lstat(os.path.join(folder, name)).st_blocks * 512
            files += 1
    return files, size


def decode(data_dir: Path) -> int:
    """Decode every line of every ledger file as a record; return how many."""
    decoder, count = msgspec.json.Decoder(Record), 0
    for path in (data_dir / "telemetry/runs").glob("*/*.jsonl"):
        count += len([decoder.decode(line) for line in path.read_bytes().splitlines()])
    return count


def cpu_s() -> float:
    """Return the processor time that this process took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(*words: str) -> dict[str, float]:
    """Return wall and processor seconds and peak MiB of one command."""
    command = [sys.executable, "-m", "codeintel_obs.cli", *words]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    wall = time.perf_counter() - begun
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss // 1024}


def stages(data_dir: Path, days: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what is asked, stage by stage; the oldest run is the same one as a file and in its pack."""
    oldest = min(path.stem for path in (data_dir / "telemetry/runs").glob("*/*.jsonl"))
    half = ("--max-days", str(days / 2), "--max-bytes", "1T", "--min-free", "0")
    asked = (
        ("runs",), ("runs",), ("report", "--last"), ("report", oldest), ("runs", "--failed", "--limit", "0", "--json"),
        ("runs", "--failed", "--limit", "0", "--json"), ("runs", "--session", "nobody"),
        ("query", "SELECT kind, status, count(*) FROM steps GROUP BY ALL"), ("prune", *half, "--dry-run"),
    )  # fmt: skip
    yield from (("files", words) for words in asked)
    yield "compaction", ("compact",)
    yield from (("parquet", words) for words in asked)
    yield "parquet", ("verify", oldest)
    yield "parquet", ("prune", *half)


def measured(data_dir: Path, runs: int, days: int) -> dict[str, object]:
    """Return every figure."""
    before = cpu_s()
    files, size = look(data_dir)
    unit = min(cpu_s() - before, *(_again(look, data_dir) for _ in range(2)))
    decoding = _again(decode, data_dir)
    rows, disk = [], {"files": {"inodes": files, "bytes": size}}
    oldest = ""
    for stage, words in stages(data_dir, days):
        found = timed(*words, "--data-dir", str(data_dir))
        oldest = words[1] if words[0] == "report" and words[1] != "--last" else oldest
        shown = " ".join("OLDEST" if word == oldest else word for word in words)
        rows.append({"stage": stage, "command": shown, "ratio": found["cpu_s"] / unit, **found})
        print(f"{stage:<10} {shown:<60} {found['cpu_s'] / unit:8.1f}", file=sys.stderr, flush=True)
        if stage == "compaction":
            disk["parquet"] = dict(zip(("inodes", "bytes"), look(data_dir), strict=True))
    disk["pruned"] = dict(zip(("inodes", "bytes"), look(data_dir), strict=True))
    return {"runs": runs, "days": days, "unit": REFERENCE, "unit_cpu_s": unit, "decode": DECODE,
            "decode_ratio": decoding / unit, "disk": disk, "commands": rows}  # fmt: skip


def _again(work, data_dir: Path) -> float:
    before = cpu_s()
    work(data_dir)
    return cpu_s() - before


def shown(found: dict[str, object]) -> str:
    """Return the figures as tables."""
    disk = found["disk"]
    sizes = [["the ledger", "inodes", "on the disk"]]
    for name, each in disk.items():
        sizes.append([name, f"{each['inodes']:,}", f"{each['bytes'] / 2**20:,.0f} MiB"])
    rows = [["as", "what", "CPU, of the unit", "wall", "peak memory"], ["files", found["unit"], "1", "", ""]]
    rows.append(["files", found["decode"], f"{found['decode_ratio']:.1f}", "", ""])
    for each in found["commands"]:
        rows.append([each["stage"], f"`{each['command']}`", f"{each['ratio']:.1f}", f"{each['wall_s']:.1f} s",
                     f"{each['peak_mib']} MiB"])  # fmt: skip
    title = f"{found['runs']:,} runs over {found['days']} days"
    return table(title, sizes) + "\n" + table(f"{title}: the unit is {found['unit_cpu_s']:.2f} s of CPU", rows)


def main() -> None:
    """Print the tables; with ``--save`` keep the figures with their commit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--save", action="store_true", help="write bench/results/runs-many.json")
    parser.add_argument("--show", action="store_true", help="print the tables of what was saved, and measure nothing")
    options = parser.parse_args()
    if options.show:
        print(shown(json.loads((ROOT / "bench/results/runs-many.json").read_text())))
        return
    with tempfile.TemporaryDirectory(prefix="runs-many-") as folder:
        data_dir = Path(folder)
        begun = time.perf_counter()
        fill(data_dir, options.runs, options.days)
        print(f"{options.runs:,} runs written in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        found = measured(data_dir, options.runs, options.days)
    if options.save:
        git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        text = json.dumps({"commit": commit, **found}, indent=1) + "\n"
        (ROOT / "bench/results/runs-many.json").write_text(text)
    print(shown(found))


if __name__ == "__main__":
    main()
