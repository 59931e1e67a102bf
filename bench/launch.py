"""What a launch costs: CPU over the same program unlaunched, as a ratio to the stock launcher in the same run.

The budget's program is ``pass``. The other one imports `logging`, a watched library, so that a plugin is loaded too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from measure import cpu_of, low_quantile, table

BIN = Path(sys.executable).parent
PASS = [sys.executable, "-c", "pass"]
LOGGING = [sys.executable, "-c", "import logging"]
FLOORS = {"python -c pass": PASS, "python -c 'import logging'": LOGGING}
CONTENDERS = {
    **FLOORS,
    "opentelemetry-instrument, our entry points off": [str(BIN / "opentelemetry-instrument"), *PASS],
    "opentelemetry-instrument, with us": [str(BIN / "opentelemetry-instrument"), *PASS],
    "codeintel-obs run": [str(BIN / "codeintel-obs"), "run", "--", *PASS],
    "codeintel-obs run --exec": [str(BIN / "codeintel-obs"), "run", "--exec", "--", *PASS],
    "codeintel-obs run, with 'import logging'": [str(BIN / "codeintel-obs"), "run", "--", *LOGGING],
    "ddtrace-run (peer)": [str(BIN / "ddtrace-run"), *PASS],
    "sentry_sdk.init() (peer)": [sys.executable, "-c", "import sentry_sdk; sentry_sdk.init()"],
}
REFERENCE = "opentelemetry-instrument, our entry points off"
BUDGETS = {"codeintel-obs run": "0.75 (stretch 0.5)"}


def main() -> None:
    """Print the table; ``--rounds`` for more patience."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    present = {name: command for name, command in CONTENDERS.items() if _installed(name, command)}
    seen: dict[str, list[float]] = {name: [] for name in present}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, command in present.items():
                seen[name].append(cpu_of(command, _environ(name), folder))
    costs = {name: low_quantile(values) for name, values in seen.items()}
    over = {name: cost - costs[_floor(present[name])] for name, cost in costs.items() if name not in FLOORS}
    rows = [["launch", "CPU over the program alone", "ratio", "budget"]]
    rows += [
        [name, f"{cost:.0f} ms", f"{cost / over[REFERENCE]:.2f}", BUDGETS.get(name, "")] for name, cost in over.items()
    ]
    print(table(f"Launch ({rounds} rounds, p10, reference: {REFERENCE})", rows))
    for name in CONTENDERS.keys() - present.keys():
        print(f"not measured, not installed: {name}")


def _floor(command: list[str]) -> str:
    return next((name for name, words in FLOORS.items() if command[-len(words) :] == words), next(iter(FLOORS)))


def _installed(name: str, command: list[str]) -> bool:
    return Path(command[0]).exists() and ("sentry" not in name or find_spec("sentry_sdk") is not None)


def _environ(name: str) -> dict[str, str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "CODEINTEL_"))}
    return {**environ, "CODEINTEL_OBS": "off"} if name == REFERENCE else environ


if __name__ == "__main__":
    main()
