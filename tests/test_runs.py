"""What a sender may call a run: stored as an id, said as a text with all that holds for texts; and what may join one."""

import sys

import processes
import pytest

from codeintel_obs.runs import Run, join

CARRIER = {"run": "outer", "attempt": "00112233445566aa", "day": "2026-11-22"}
CODE = """
import asyncio, httpx2
from fastapi import FastAPI

async def main(raw):
    transport = httpx2.ASGITransport(FastAPI(), client=("127.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://app.invalid") as session:
        await session.get("/", headers={"X-Run-ID": raw, "X-Session-ID": raw})

asyncio.run(main("password=hunter2 canary " + "x" * 9000))
"""


@pytest.mark.parametrize("day", ["2026-11-31", "2026-02-29", "1999-12-01"])
def test_a_run_of_a_well_formed_day_is_joined(day):
    """Whether a month has a day is not asked: the folder's name is."""
    run = join(CARRIER | {"day": day})
    assert (run.run_id, run.day, run.joins) == ("outer", day, True)


@pytest.mark.parametrize(
    "day", ["9999-99-99", "2026-00-10", "2026-11-32", "\u0662\u0660\u0662\u0666-11-22", "2026-11-2", "../../../etc"]
)
def test_a_day_that_no_folder_is_named_after_is_not_joined(day):
    """It would be a folder of its own for ever, and the newest of all."""
    assert join(CARRIER | {"day": day}) is None


def test_what_a_sender_calls_a_run_is_said_redacted_and_cut():
    """It is hostile input: no id, and no longer than a text may be."""
    run = Run("password=hunter2 mine", session_id="y" * 3000)
    given = run.given()
    assert given["raw_run_id"] == "password=[redacted] mine"
    assert given["raw_session_id"].endswith(" [cut 952 characters]")
    run.tells_given = False
    assert run.given() == {}
    assert Run("mine").given() == {}


@pytest.mark.parametrize(("level", "said"), [("none", False), ("messages", True), ("all", True)])
def test_what_a_request_calls_its_run_is_kept_as_texts_are(tmp_path, level, said):
    """Nothing of it at level ``none``, and at no level a credential or more than the cap."""
    ended = processes.launched(tmp_path, CODE, CODEINTEL_OBS_CONTENT=level)
    assert ended.returncode == 0, ended.stderr
    files = "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))
    assert ("canary" in files) is said
    assert "hunter2" not in files
    assert "x" * 2100 not in files


@pytest.mark.parametrize(("level", "said"), [("none", False), ("messages", True)])
@pytest.mark.parametrize("program", ["true", sys.executable])
def test_so_is_what_its_user_calls_a_process(tmp_path, program, level, said):
    """Whoever writes its begin: the process itself, or the supervisor of one that left no record."""
    ended = processes.run(
        tmp_path, processes.OBS, "run", "--run-id", "password=hunter2 canary", "--", program, "--version",
        CODEINTEL_OBS_CONTENT=level,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    files = "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))
    assert '"event":"run.begin"' in files
    assert ("canary" in files) is said
    assert "hunter2" not in files
