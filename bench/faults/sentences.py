"""Programs over sentence_transformers: in the environment that has torch, with models of random weights made there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from .case import Case, Driver, Started
from .search import import_tests

_OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_MAKE: Final = """\
import pathlib, sys
sys.path.insert(0, {tests!r})
from workouts.embeddings_ import tiny
tiny(pathlib.Path(), {kind!r})
"""
_TESTS: Final = Path(__file__).resolve().parents[2] / "tests"


def case(name: str, says: str, program: str, expect: str, model: str | None = None, exits: int = 1) -> Case:
    """Return a case of the channels; ``model`` is the kind of the model that is made in its folder."""
    return Case(
        name=f"channels.{name}", says=says, script=program, expect=expect, exits=exits,
        options=("--plugins", "splade,rerank"), env=_OFFLINE, drive=_in_torch(model), torch=True,
    )  # fmt: skip


def _in_torch(model: str | None) -> Driver:
    def drive(started: Started) -> int:
        import_tests()
        from in_torch import install

        python = str(install())
        if model is not None:
            making = [python, "-c", _MAKE.format(tests=str(_TESTS), kind=model)]
            subprocess.run(making, cwd=started.folder, check=True, capture_output=True)
        return started.launch(program=(python, "fault.py"))

    return drive


WORKER: Final = """\
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor


def load(begun):
    global model
    from sentence_transformers import SparseEncoder

    model = SparseEncoder("tiny-canary-model", device="cpu")
    model[0].register_forward_hook(lambda *_: begun.set())


def encode(texts):
    return model.encode(texts, batch_size=8)


if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    begun = spawn.Event()
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=load, initargs=(begun,)) as pool:
        answer = pool.submit(encode, ["the cat"] * 500_000)
        begun.wait()
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        answer.result()
"""
NO_MODEL: Final = """\
from sentence_transformers import SparseEncoder

SparseEncoder("no/such-model", device="cpu")
"""
UNRANKED: Final = """\
from sentence_transformers import CrossEncoder

found = ["the cat", "the sea", None]
judge = CrossEncoder("tiny-canary-model", device="cpu")
try:
    scores = judge.predict([("fish", text) for text in found])
except Exception:
    print(found)
"""
