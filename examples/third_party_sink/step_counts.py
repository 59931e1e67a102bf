"""A third party's sink: counts steps by kind and status, and writes the counts when the process ends."""

import json
import os
import threading
from collections import Counter

from codeintel_obs import Step, hookimpl


class StepCounts:
    def __init__(self) -> None:
        self.counts = Counter()
        self.threads = set()

    @hookimpl
    def obs_step_ended(self, step: Step) -> None:
        self.counts[f"{step.kind} {step.status}"] += 1
        self.threads.add(threading.current_thread().name)

    @hookimpl
    def obs_shutdown(self) -> None:
        with open(os.environ.get("STEP_COUNTS", "step-counts.json"), "w", encoding="utf-8") as file:
            json.dump({"counts": self.counts, "threads": sorted(self.threads)}, file)
