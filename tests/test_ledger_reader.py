"""The reader: it says what is wrong with a file, misses nothing, and never gives up."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest

from codeintel_obs.ledger import reader
from codeintel_obs.ledger.attempts import find_attempts, list_runs
from codeintel_obs.ledger.encoding import line
from codeintel_obs.ledger.reader import first_record, last_record, read_file

LIBRARIES = Path(__file__).parent / "libraries"
GOLDEN = Path(__file__).parent / "golden" / "ledger-v1"
SEED = int(os.environ.get("LEDGER_FLIP_SEED") or random.SystemRandom().randrange(10**6))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    yield made
    made.close()


@pytest.fixture
def whole(work, tmp_path):
    """The lines of a closed ledger of 22 records, and a path to write damaged ones to."""
    run = work.run("job")
    work.steps(run, 10, k=10, index_type="IndexFlatL2")
    work.finish(run)
    return Path(run.ledger_path).read_bytes().splitlines(keepends=True), tmp_path / "damaged.jsonl"


def told(path, content):
    """Write ``content`` and return (numbers read, problems' kinds)."""
    path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
    found = list(read_file(str(path)))
    return [each.record.n for each in found if each.record], [each.kind for each in found if each.problem]


def test_a_whole_file_has_no_problems(whole):
    """Every line comes with its number, its offset and its record."""
    lines, path = whole
    assert told(path, lines) == (list(range(1, 23)), [])
    found = list(read_file(str(path)))
    assert [each.number for each in found] == list(range(1, 23))
    assert [each.offset for each in found] == [sum(map(len, lines[:i])) for i in range(22)]


def test_every_bit_flip_is_told(whole):
    """Of thousands of random single bit flips, in any byte of a file, each one is reported."""
    lines, path = whole
    content = b"".join(lines)
    draw = random.Random(SEED)
    print(f"LEDGER_FLIP_SEED={SEED}")
    for _ in range(4000):
        damaged = bytearray(content)
        at = draw.randrange(len(damaged))
        damaged[at] ^= 1 << draw.randrange(8)
        numbers, kinds = told(path, bytes(damaged))
        assert kinds, f"byte {at} became {damaged[at]:#x} and nobody noticed"
        assert set(numbers) <= set(range(1, 23))


def test_every_torn_tail_is_told(whole):
    """A file cut anywhere is read up to its last whole line; a cut within a line is a torn tail."""
    lines, path = whole
    content = b"".join(lines)
    ends = {sum(map(len, lines[:i])): i for i in range(23)}
    for cut in range(len(content) - 700, len(content)):
        numbers, kinds = told(path, content[:cut])
        count = content[:cut].count(b"\n")
        assert (numbers, kinds) == (list(range(1, count + 1)), [] if cut in ends else [reader.TORN])


def test_removed_lines_are_a_gap_with_its_numbers(whole):
    """Lines that were taken out are told with the numbers that are missing."""
    lines, path = whole
    path.write_bytes(b"".join(lines[:3] + lines[6:9] + lines[10:]))
    gaps = [each for each in read_file(str(path)) if each.problem]
    assert [(each.problem, each.missing, each.number) for each in gaps] == [
        ("gap: 4 to 6", (4, 6), 4),
        ("gap: 10 to 10", (10, 10), 7),
    ]
    assert told(path, lines[2:])[1] == ["gap"]


def test_duplicates_and_swaps_are_told(whole):
    """A line that came twice is a duplicate; one that comes late is out of order, after its gap."""
    lines, path = whole
    assert told(path, [*lines[:5], lines[2], *lines[5:]])[1] == ["duplicate"]
    assert told(path, [*lines[:5], lines[4], lines[4], *lines[5:]])[1] == ["duplicate"] * 2
    swapped = [*lines[:5], lines[6], lines[5], *lines[7:]]
    assert told(path, swapped) == ([1, 2, 3, 4, 5, 7, 6, *range(8, 23)], ["gap", "out of order"])


def test_a_damaged_line_is_not_a_gap_as_well(whole):
    """A line that cannot be read stands for its own number; a missing line beside it is still told."""
    lines, path = whole
    bad = lines[4].replace(b"faiss", b"FAISS")
    assert told(path, [*lines[:4], bad, *lines[5:]])[1] == ["bad crc"]
    assert told(path, [*lines[:4], bad, *lines[6:]])[1] == ["bad crc", "gap"]


def test_unknown_versions_are_told_and_counted(whole):
    """A line of a later schema is told as such; its number is known, so it is no gap."""
    lines, path = whole
    later = line(3, b'"step.begin","future":[1]').replace(b'{"v":1', b'{"v":2', 1)
    later = later[:-19] + b',"crc":"%08x"}\n' % zlib.crc32(later[:-19])
    assert told(path, [*lines[:2], later, *lines[3:]]) == ([1, 2, *range(4, 23)], ["unknown version"])


@pytest.mark.parametrize(
    ("garbage", "kinds"),
    [
        (b"\n", ["bad crc"]), (b"not json\n", ["bad crc"]), (b"\0" * 5000, ["torn tail"]),
        (b"[" * 100_000 + b"\n", ["bad crc"]), (b"\xff\xfe\n" * 3, ["bad crc"] * 3),
        (line(23, b'"step","ts":7'), ["unparsable"]), (b"x" * 3_000_000 + b"\n", ["bad crc"] * 3),
    ],
    ids=["empty", "text", "zeros", "nested", "bytes", "schema", "endless"],
)  # fmt: skip
def test_garbage_is_told(whole, garbage, kinds):
    """Whatever follows a file's lines is told, and the lines before it are read."""
    lines, path = whole
    assert told(path, b"".join(lines) + garbage) == (list(range(1, 23)), kinds)


def test_what_is_no_file_is_unreadable(tmp_path):
    """A missing file, a folder, a link and a pipe are told as unreadable, and nothing waits on them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("missing", "pipe", "link", "."):
        (only,) = read_file(str(tmp_path / name))
        assert (only.kind, only.record) == (reader.UNREADABLE, None)


def test_first_and_last_without_the_middle(whole):
    """The first and the last whole record are found at once, damaged neighbours or not."""
    lines, path = whole
    path.write_bytes(b"junk\n" + b"".join(lines) + lines[0][:40])
    assert (first_record(str(path)).n, last_record(str(path)).n) == (1, 22)
    path.write_bytes(b"")
    assert (first_record(str(path)), last_record(str(path))) == (None, None)


def test_a_growing_file_is_read_as_far_as_it_goes(work):
    """A file that is being written is read up to its last whole line, each time further."""
    run = work.run("job")
    seen = []
    for _ in range(3):
        work.steps(run, 2)
        seen.append(len(list(read_file(run.ledger_path))))
    assert seen == [5, 9, 13]


def test_a_large_file_takes_little_memory(tmp_path):
    """Reading a file of hundreds of megabytes takes memory for a chunk of it, not for the file."""
    path = tmp_path / "large.jsonl"
    ids, text = '"run_id":"r","attempt":"a"', "x" * 2000
    tail = f'"plan","ts":"t","mono_ns":1,{ids},"payload":{{"text":"{text}"}},"source":"obs"'
    with path.open("wb") as file:
        for number in range(1, 100_001):
            file.write(line(number, tail.encode()))
    code = (
        "import re\nfrom codeintel_obs.ledger.reader import read_file\n"
        f"count = sum(each.record is not None for each in read_file({str(path)!r}))\n"
        # not ru_maxrss: that of a child begins with what its parent had when it was started
        "print(count, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    count, mebibytes = map(int, done.stdout.split())
    assert (count, mebibytes < 200, path.stat().st_size > 200_000_000) == (100_000, True, True)


# -- finding ---------------------------------------------------------------------------------------------------------


def test_a_run_is_found_on_any_day(work):
    """Finding a run never depends on today's date."""
    for day in ("1999-01-01", "2031-12-31"):
        work.finish(work.run("job", day=day))
    assert {attempt.day for attempt in find_attempts([work.data_dir], "job")} == {"1999-01-01", "2031-12-31"}


def test_a_hostile_id_is_found_under_its_mapped_name(work):
    """A RUN argument is mapped like any id from outside; what is stored can be given as well."""
    raw = "../../etc/passwd"
    run = work.run(raw)
    work.finish(run)
    for asked in (raw, run.run_id):
        (attempt,) = find_attempts([work.data_dir], asked)
        assert attempt.run_id == run.run_id
    assert find_attempts([work.data_dir], "../..") == []


def test_the_beginning_of_an_id_is_enough_when_it_is_one_runs(work):
    """A prefix finds the only run that it begins; one that two runs share finds none; an exact id comes first."""
    for name in ("job-1", "job-12", "other"):
        work.finish(work.run(name))
    found = {asked: [a.run_id for a in find_attempts([work.data_dir], asked)] for asked in ("oth", "job", "job-1", "")}
    assert found == {"oth": ["other"], "job": [], "job-1": ["job-1"], "": []}


def test_runs_are_listed_newest_first(work, tmp_path):
    """Runs of all data directories come newest first; hidden files and others' are not runs."""
    from ledger_workload import Workload

    other = Workload(tmp_path / "more", "none")
    made = [each.run(f"run{number}") for number, each in enumerate([work, other, work, other])]
    folder = Path(made[0].ledger_path).parent
    (folder / ".run9.jsonl.abc.tmp").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    listed = list_runs([work.data_dir, other.data_dir, str(tmp_path / "nowhere")])
    assert [attempt.run_id for attempt in listed] == ["run3", "run2", "run1", "run0"]
    other.close()


# -- golden ----------------------------------------------------------------------------------------------------------


def test_the_golden_ledger_is_readable_for_ever():
    """A ledger written by version 0.1.0 is read, verified, and says what it said then: every event of the schema."""
    from codeintel_obs.ledger.verifier import verify

    found = find_attempts([str(GOLDEN)], "golden")
    expected = msgspec.json.decode((GOLDEN / "expected.json").read_bytes())
    files = [file for attempt in found for file in attempt.files()]
    records = [msgspec.to_builtins(each.record) for file in files for each in read_file(file.path) if each.record]
    problems = [[each.problem for each in read_file(file.path) if each.problem] for file in files]
    assert msgspec.json.decode(msgspec.json.encode({"records": records, "problems": problems})) == expected
    assert [verify(attempt).complete for attempt in found] == [False, True]
    assert {"fault", "drop", "log", "plan", "span.begin", "process.exit"} <= {record["event"] for record in records}
