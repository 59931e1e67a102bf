"""Whether the steps agree with vLLM's own request counters, on a mixed workload with cancellations and errors.

Needs the environment of `tests/in_vllm.py`: ``.venv-vllm/bin/python bench/vllm_agreement.py``. The server runs under
``codeintel-obs run``; what its ``/metrics`` counted is compared with what the ledger says, and both with what the clients saw.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

import in_vllm  # noqa: E402
import in_vllm_models  # noqa: E402
import processes  # noqa: E402
from in_vllm_server import Server, serving, texts  # noqa: E402 - the path comes first

WORDS = [word for word in in_vllm_models.WORDS if word not in {"user", "assistant"}]
AT_ONCE = 8


class Client:
    """Sends requests of every sort, and keeps what it saw."""

    def __init__(self, server: Server, model: str) -> None:
        self.server = server
        self.model = model
        self.statuses: Counter[int] = Counter()
        self.cancelled = 0
        self._lock = threading.Lock()

    def send(self, seed: int) -> None:
        """Send one request, which its seed decides."""
        dice = random.Random(seed)
        prompt = " ".join(dice.choices(WORDS, k=dice.randint(1, 40)))
        dice.choice(SORTS)(self, prompt, dice.randint(1, 12))

    def plain(self, prompt: Any, size: int, path: str = "/v1/completions", **more: Any) -> None:
        asked = {"model": self.model, "max_tokens": size, "temperature": 0, **more}
        if path == "/v1/completions":
            asked["prompt"] = prompt
        self.saw(self.server.post(path, **asked)[0])

    def saw(self, status: int) -> None:
        with self._lock:
            self.statuses[status] += 1

    def stopped(self, prompt: str, _size: int) -> None:
        self.plain(prompt, 60, stop=[f" {word}" for word in [*WORDS, "w35", "w50"]])

    def several(self, prompt: str, size: int) -> None:
        self.plain(prompt, size, n=3, temperature=1, seed=size)

    def batch(self, prompt: str, size: int) -> None:
        self.plain([prompt, f"{prompt} cat", "sea"], size)

    def chat(self, prompt: str, size: int) -> None:
        self.plain(None, size, "/v1/chat/completions", messages=[{"role": "user", "content": prompt}])

    def streamed(self, prompt: str, size: int) -> None:
        with self.open(prompt, size) as stream:
            list(texts(stream))
            self.saw(stream.status)

    def open(self, prompt: str, size: int) -> Any:
        asked = {"model": self.model, "prompt": prompt, "max_tokens": size, "temperature": 0, "ignore_eos": True}
        return self.server.stream("/v1/completions", **asked)

    def cancel(self, prompt: str, size: int) -> None:
        stream = self.open(prompt, 200)
        for _ in zip(range(size), texts(stream), strict=False):
            pass
        self.saw(stream.status)
        with self._lock:
            self.cancelled += 1
        stream.close()

    def too_long(self, prompt: str, size: int) -> None:
        self.plain("cat " * 300 + prompt, size)

    def wrong(self, prompt: str, _size: int) -> None:
        self.plain(prompt, -1)

    def nobody(self, prompt: str, size: int) -> None:
        self.plain(prompt, size, model="nobody")


SORTS = (
    Client.plain, Client.plain, Client.stopped, Client.several, Client.batch, Client.chat, Client.streamed, Client.streamed,
    Client.cancel, Client.cancel, Client.too_long, Client.wrong, Client.nobody,
)  # fmt: skip


def send_all(server: Server, model: str, seeds: range) -> Client:
    """Send one request for each seed, some at once; return the client once the server is idle."""
    client = Client(server, model)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(client.send, seeds))
    server.idle()
    return client


def counted(server: Server) -> dict[str, Any]:
    """Return what vLLM's own metrics say of the requests that its engine finished, and its HTTP server of all."""
    return {
        "reasons": dict(server.finished()),
        "tokens": server.total("request_prompt_tokens_sum"),
        "output_tokens": server.total("request_generation_tokens_sum"),
        "statuses": server.statuses(),
    }


def told(folder: Path) -> dict[str, Any]:
    """Return what the ledger says of the same; ``open`` are the kinds of steps without an end."""
    begun: dict[str, Any] = {}
    made = {"reasons": Counter[str](), "tokens": 0, "output_tokens": 0, "statuses": Counter[str](), "cancelled": 0}
    for record in processes.records(folder):
        if record["event"] == "step.begin":
            begun[record["span_id"]] = record
        elif record["event"] == "step.end":
            _take(made, record, {**begun.pop(record["span_id"]).get("payload", {}), **record.get("payload", {})})
    left = sorted(each["kind"] for each in begun.values())
    return {**made, "reasons": dict(made["reasons"]), "statuses": dict(made["statuses"]), "open": left}


def _take(made: dict[str, Any], record: dict[str, Any], payload: dict[str, Any]) -> None:
    if record["kind"] == "http.request":
        made["statuses"][f"{payload['status_code'] // 100}xx"] += 1
    if record["kind"] != "vllm.generate":
        return
    if record["status"] == "failed":
        made["cancelled"] += record["detail"] == "cancelled"
        return
    reasons = payload["finish_reasons"]
    made["reasons"].update(reasons)
    made["tokens"] += payload["tokens"] * sum(reasons.values())  # each of several answers is a request of the engine
    made["output_tokens"] += payload["output_tokens"]


def disagreements(client: Client, theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return where vLLM's counters and the steps, or the clients and the steps, do not say the same."""
    wrong = [f"{key}: vLLM says {theirs[key]}, the steps {ours[key]}" for key in theirs if theirs[key] != ours[key]]
    seen = Counter(f"{status // 100}xx" for status in client.statuses.elements())
    if seen != ours["statuses"]:
        wrong.append(f"statuses: the clients saw {dict(seen)}, the steps {ours['statuses']}")
    # fewer may be: an answer can be complete before its client closes; vLLM then counts it as finished, as it does above
    if client.cancelled < ours["cancelled"]:
        wrong.append(f"cancelled: the clients {client.cancelled}, the steps {ours['cancelled']}")
    return wrong


def compared(folder: Path, model: str, number: int, seed: int) -> tuple[list[str], dict[str, Any]]:
    """Serve ``model`` recorded, send ``number`` requests, and return what does not agree, and what the steps say."""
    with serving(folder, model, **in_vllm.ENVIRONMENT) as server:
        client = send_all(server, model, range(seed * number, (seed + 1) * number))
        theirs = counted(server)
        assert server.stop() == 0
    ours = told(folder)
    wrong = [f"steps without an end: {ours['open']}"] if ours["open"] else []
    return wrong + disagreements(client, theirs, ours), ours


def main() -> int:
    """Run the whole workload; exit 1 when anything does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong, ours = compared(Path(folder), in_vllm_models.llama(), options.requests, options.seed)
    print(f"{options.requests} requests, seed {options.seed}: {ours}")
    print("\n".join(wrong) or "vLLM's counters, the clients and the steps agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
