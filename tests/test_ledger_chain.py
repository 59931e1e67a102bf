"""The hash chain: what a forger does to a closed file is told, by the chain itself or by a root that was kept elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from ledger_damage import forged

from codeintel_obs import guard
from codeintel_obs.cli import main
from codeintel_obs.ledger.chain import anchor
from codeintel_obs.ledger.supervise import write_process_exit
from codeintel_obs.recorder import Listeners
from codeintel_obs.report.attempts import Attempt, report_of
from codeintel_obs.runs import Run, join
from codeintel_obs.steps import Root

LIBRARIES = Path(__file__).parent / "libraries"
SECRET = "Xk7hunter2"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A chaining sink in this process that writes to ``tmp_path/data``; ``roots`` are those that it told."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    from ledger_workload import Workload

    roots: list[Root] = []
    active = SimpleNamespace(listeners=Listeners(root=(roots.append,)))
    made = Workload(tmp_path / "data", "none", chain=True, active=active)
    made.roots = roots
    yield made
    made.close()


def job(work, steps=5):
    """Write the whole run ``job`` and return its path."""
    run = work.run("job")
    work.steps(run, steps)
    work.finish(run)
    return Path(run.ledger_path)


def verified(work, run="job"):
    from ledger_workload import integrity

    return integrity(work.data_dir, run)


def forge(path, change):
    """Give the lines of ``path`` to ``change``, number them anew with fresh checksums; the mode stays."""
    mode = path.stat().st_mode
    path.chmod(0o640)
    path.write_bytes(forged(change(path.read_bytes().splitlines(keepends=True))))
    path.chmod(mode)


def place(path, n):
    return f"{path.parent.name}/{path.name}:{n}"


def broken(work):
    found = verified(work)
    assert found.complete is False
    return [problem.evidence for problem in found.problems if problem.kind == "chain broken"]


# -- writing ---------------------------------------------------------------------------------------------------------


def test_each_record_names_the_line_before_it(work):
    """``prev`` is the SHA-256 of the line before, without its newline; the first line's is made of the file's name."""
    path = job(work)
    lines = path.read_bytes().splitlines()
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    attempt = json.loads(lines[0])["attempt"]
    assert [json.loads(line)["prev"] for line in lines] == [anchor("job.jsonl", attempt), *hashes[:-1]]
    assert list(json.loads(lines[3]))[-3:] == ["source", "prev", "crc"]
    assert [(root.file, root.records, root.sha256) for root in work.roots] == [(place(path, "")[:-1], 12, hashes[-1])]
    found = verified(work)
    assert (found.complete, found.roots) == (True, {place(path, "")[:-1]: hashes[-1]})


def test_without_the_setting_there_is_no_chain(tmp_path, work):
    """The default writes no ``prev``, has no root, and verifies as ever."""
    from ledger_workload import Workload

    plain = Workload(tmp_path / "plain", "none")
    path = job(plain)
    plain.close()
    assert (b'"prev"' in path.read_bytes(), verified(plain).roots, work.roots) == (False, {}, [])


def test_the_files_of_one_writer_are_one_chain(work):
    """A segment goes on from the last line that was counted in its predecessor, whatever stands behind that."""
    run = work.run("job")
    for room in (0, 100, 400):
        resource.setrlimit(resource.RLIMIT_FSIZE, (run.ledger.size + room, resource.RLIM_INFINITY))
        try:
            work.steps(run, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        run.ledger.retry_ns = 0
        work.steps(run, 1)
        run.ledger.evict()
        work.steps(run, 1)
    work.finish(run)
    found = verified(work)
    assert {problem.kind for problem in found.problems} <= {"torn tail", "dropped"}
    assert (found.gaps, found.files >= 3, [root.sha256 for root in work.roots]) == ([], True, [*found.roots.values()])


def test_what_comes_after_the_end_goes_on_from_the_root(work):
    """A record after the closing one begins a segment that is chained to it, and has a root of its own."""
    run = work.run("job")
    work.finish(run)
    work.steps(run, 1)
    found = verified(work)
    assert (found.complete, found.problems) == (True, [])
    assert [root.sha256 for root in work.roots] == list(found.roots.values())
    assert len(work.roots) == 2


def test_joiners_and_children_have_chains_of_their_own(work):
    """A joiner and a forked child anchor to their own files; each closed file has its root."""
    run = work.run("job")
    work.steps(run, 2)
    child = os.fork()
    if not child:
        work.steps(run, 2)
        work.close()
        os._exit(0)
    os.waitpid(child, 0)
    joined = work.run(carrier={"run": "job", "attempt": run.attempt, "day": run.day})
    work.steps(joined, 1)
    work.finish(joined)
    work.steps(run, 1)
    work.finish(run)
    found = verified(work)
    assert (found.complete, found.problems, found.files) == (True, [], 3)
    assert {root.sha256 for root in work.roots} < set(found.roots.values())
    assert len(found.roots) == 3


def test_an_exception_at_any_moment_breaks_no_chain(work):
    """A deadline that strikes inside the writer leaves a chain that holds, segments and all."""

    class DeadlineError(Exception):
        pass

    def strike(*_):
        raise DeadlineError

    run, struck = work.run("job"), 0
    previous = signal.signal(signal.SIGALRM, strike)
    try:
        while struck < 150:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + struck % 30 * 0.00001)
                work.steps(run, 2000)
            except DeadlineError:
                struck += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    run.open.clear()
    work.finish(run)
    found = verified(work)
    assert {problem.kind for problem in found.problems} <= {"dropped", "torn tail"}
    assert found.files > 1


def test_a_supervisors_file_is_chained_too(work):
    """What a supervising parent writes of the process's end is chained like the rest."""
    from ledger_workload import LedgerSettings

    run = work.run("job")
    work.finish(run)
    settings = LedgerSettings(work.data_dir, chain=True)
    assert write_process_exit(join(run.carrier()), settings, 4711, -15)
    assert write_process_exit(Run("alone"), settings, 4712, 3)
    for name, files in (("job", 2), ("alone", 1)):
        found = verified(work, name)
        assert (found.complete, found.problems, len(found.roots)) == (True, [], files)


# -- what is detected ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda lines: [*lines[:4], lines[4].replace(b"faiss", b"Faiss"), *lines[5:]], 6),
        (lambda lines: lines[:4] + lines[6:], 5),
        (lambda lines: [*lines[:4], lines[6], lines[5], lines[4], *lines[7:]], 5),
        (lambda lines: [*lines[:4], lines[2], *lines[4:]], 5),
        (lambda lines: [*lines[:4], lines[-1]], 5),
        (lambda lines: lines[2:], 1),
        (lambda lines: [*lines[:4], lines[4].partition(b',"prev"')[0] + lines[4][-19:], *lines[5:]], 5),
    ],
    ids=["edited", "removed", "reordered", "doubled", "cut short", "first ones removed", "unlinked"],
)
def test_a_forged_line_is_told(work, change, at):
    """Numbered anew and with fresh checksums, a change is still told, where the chain breaks."""
    path = job(work)
    forge(path, change)
    assert broken(work)[0] == place(path, at)
    assert set(verified(work).counts) == {"chain broken"} or at == 1


def test_a_report_of_a_broken_chain_is_not_complete(work, capsys):
    """The report says that it is not complete, and warns with the place; ``verify`` exits with 4."""
    path = job(work)
    forge(path, lambda lines: lines[:4] + lines[5:])
    from codeintel_obs.ledger.attempts import find_attempts

    (attempt,) = find_attempts([work.data_dir], "job")
    report = report_of(Attempt(attempt, 1, 1))
    assert report.integrity.complete is False
    assert [place(path, 5)] in [warning.evidence for warning in report.warnings if "chain broken" in warning.message]
    assert main(["verify", "job", "--data-dir", work.data_dir]) == 4
    assert f"{place(path, 5)}  chain broken" in capsys.readouterr().out


def test_a_doctored_end_is_told_by_the_root(work, capsys):
    """Of a closing record that was forged the chain says nothing: the root that was kept does, with exit code 4."""
    path = job(work)
    (root,) = work.roots
    words = ["verify", "job", "--data-dir", work.data_dir, "--root", root.sha256]
    assert main(words) == 0
    assert f"ROOT      {root.sha256}  ends {root.file}" in capsys.readouterr().out
    forge(path, lambda lines: [*lines[:-1], lines[-1].replace(b"completed", b"failed")])
    assert (verified(work).problems, main(words[:-2]), main(words)) == ([], 0, 4)
    assert f"NO FILE   {root.sha256}" in capsys.readouterr().out
    assert main([*words, "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["roots"] == [{"root": root.sha256, "file": None, "redacted": None}]


def test_a_chain_made_anew_is_told_by_the_root(work):
    """A forger who makes the whole chain anew has a sound file, and another root."""
    from codeintel_obs.ledger.chain import sealed

    path = job(work)
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("prev")
        line["crc"] = "0" * 8
    lines[-1]["payload"]["outcome"] = "failed"
    plain = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    made, root = sealed(plain, anchor(path.name, lines[0]["attempt"]))
    path.chmod(0o640)
    path.write_bytes(made)
    path.chmod(0o440)
    found = verified(work)
    assert (found.problems, list(found.roots.values())) == ([], [root])
    assert root != work.roots[0].sha256
    assert main(["verify", "job", "--data-dir", work.data_dir, "--root", work.roots[0].sha256]) == 4


def test_a_file_under_another_name_is_told(work):
    """A file that is copied to another writer's name does not begin as that file."""
    path = job(work)
    attempt = json.loads(path.read_bytes().splitlines()[0])["attempt"]
    copied = path.with_name(f"job~{attempt}~0123abcd.jsonl")
    copied.write_bytes(path.read_bytes())
    assert broken(work) == [place(copied, 1)]


def two_segments(work):
    run = work.run("job")
    work.steps(run, 2)
    work.finish(run)
    work.steps(run, 1)
    first = Path(run.ledger_path).with_name("job.jsonl")
    return first, first.with_name("job.s2.jsonl")


def test_a_doctored_segment_is_told_by_the_next(work):
    """The end of a segment is what the next one is anchored to."""
    first, second = two_segments(work)
    forge(first, lambda lines: [*lines[:-1], lines[-1].replace(b"completed", b"failed")])
    assert broken(work) == [place(second, 1)]


def test_a_segment_without_a_chain_is_told_by_the_next(work):
    """Taking the chain out of one segment breaks it."""
    first, _ = two_segments(work)
    forge(first, lambda lines: [line.partition(b',"prev"')[0] + line[-19:] for line in lines])
    assert broken(work) == [place(first, 1)]


def test_lines_behind_the_last_that_was_counted_are_told(work):
    """Nothing can be added to a segment that another goes on from."""
    first, second = two_segments(work)
    lines = first.read_bytes().splitlines(keepends=True)
    from codeintel_obs.ledger.chain import sealed

    plain = lines[3].partition(b',"prev"')[0] + lines[3][-19:]
    more, _ = sealed(forged([plain] * 7).splitlines(keepends=True)[-1], hashlib.sha256(lines[-1][:-1]).hexdigest())
    first.chmod(0o640)
    first.write_bytes(b"".join([*lines, more]))
    assert broken(work) == [place(first, 7)]
    assert second.exists()


def test_a_flipped_bit_is_told_once(work):
    """A line that is not as it was written is told as that; the record after it is not held against the chain."""
    path = job(work)
    lines = path.read_bytes().splitlines(keepends=True)
    path.chmod(0o640)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b"faiss", b"Faiss"), *lines[5:]]))
    assert verified(work).counts == {"bad crc": 1}


def test_roots_are_hashes_of_one_run(work, capsys):
    """What is no SHA-256 is refused, and so is a root without a run."""
    job(work)
    for words in (["job", "--root", "abc"], ["--all", "--root", "0" * 64]):
        with pytest.raises(SystemExit) as left:
            main(["verify", "--data-dir", work.data_dir, *words])
        assert left.value.code == 2
    assert "--root" in capsys.readouterr().err


# -- redaction -----------------------------------------------------------------------------------------------------------


def leaking(work):
    """Write the run ``leak`` in two segments, with a secret in the first."""
    run = work.run("leak")
    step = work.begin(run, payload={"url": f"https://h/p?access_token={SECRET}"})
    work.end(step)
    work.steps(run, 2)
    work.finish(run)
    work.steps(run, 1)
    return run


def redact(work, capsys):
    assert main(["redact", "--json", "--data-dir", work.data_dir, "leak"]) == 0
    return json.loads(capsys.readouterr().out)["attempts"][0]["files"]


def test_a_redacted_file_gets_a_new_chain_and_says_so(work, capsys):
    """The chain is whole afterwards, in the segment that follows too; the record names the roots before and after."""
    from ledger_workload import read

    leaking(work)
    files = redact(work, capsys)
    found = verified(work, "leak")
    assert (found.complete, found.problems) == (True, [])
    assert [(each["lines"], each["root_before"]) for each in files] == [
        (1, work.roots[0].sha256),
        (0, work.roots[1].sha256),
    ]
    assert [each["root_after"] for each in files] == [found.roots[each["file"]] for each in files]
    assert SECRET not in "".join(path.read_text() for path in Path(work.data_dir).rglob("*.jsonl"))
    (said,) = [record.payload["files"] for record in read(work.data_dir, "leak") if record.event == "redact"][:1]
    assert [each["root_before"] for each in said] == [root.sha256 for root in work.roots]
    assert len(found.roots) == 3  # the file that says it is chained too


def test_the_old_root_of_a_redacted_file_is_told_as_that(work, capsys):
    """A root from before the redaction is no file's any more: told with exit 4, and where it is said why."""
    leaking(work)
    redact(work, capsys)
    words = ["verify", "leak", "--data-dir", work.data_dir, "--root", work.roots[0].sha256]
    assert main(words) == 4
    assert "says that it was redacted since" in capsys.readouterr().out


def test_redacting_heals_no_chain(work, capsys):
    """A chain that was broken before is broken at the same place afterwards."""
    run = leaking(work)
    first = Path(run.ledger_path).with_name("leak.jsonl")
    forge(first, lambda lines: [*lines[:4], lines[4].replace(b"faiss", b"Faiss"), *lines[5:]])
    before = [problem.evidence for problem in verified(work, "leak").problems]
    redact(work, capsys)
    found = verified(work, "leak")
    assert [problem.evidence for problem in found.problems] == before
    assert before[0] == place(first, 6)
