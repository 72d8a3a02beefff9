"""What the benches share: seconds of a run, the machine's name, and the rows that they write."""

import os
import platform
import time
from pathlib import Path

from cmm_nb.core import versions

LINES: list[dict] = []


def seconds(run, repeat: int = 3) -> float:
    "Best of `repeat` runs after one to warm up; a single run without warming up for repeat=1."
    if repeat > 1:
        run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def machine() -> str:
    "The processor's name and how many there are."
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} CPUs"


def note(what: str, **numbers) -> None:
    "One more row: what was measured, the numbers, and on what."
    LINES.append(dict(what=what, **numbers, machine=machine(), versions=versions()))


def line(what: str, first: float, second: float | None = None) -> None:
    "A row of seconds, or of two and their ratio; printed too."
    ratio = first / second if second else None
    note(what, first_s=first, second_s=second, ratio=ratio)
    print(f"{what:86s} {first:8.2f} s" + (f" {second:8.2f} s   {ratio:5.1f} x" if second else ""), flush=True)
