"""Ratios measured in one run on this machine: tools/bench.py [--quick]. Not a test; machines are noisy, so read the ratios and not the seconds.

Timed inputs are made up (speed does not depend on them), except for the whole curve, which uses real features where CMM_DATA has them."""
import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

from cmm_nb.core import few_threads, l2norm, optional_data, versions
from cmm_nb.data import load_dataset
from cmm_nb.encoders import load_encoder
from cmm_nb.packs import load_pack
from cmm_nb.recipe import fit_cmm
from cmm_nb.results import write_rows
from cmm_nb.tasks import make_task, pack_task
from cmm_nb.training import PaperRecipe, train_paper

LINES: list[dict] = []
QUICK = "--quick" in sys.argv


def seconds(run, repeat: int = 3) -> float:
    "Best of `repeat` runs after one to warm up; a single run without warming up for repeat=1."
    if repeat > 1: run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
    return min(times)


def line(what: str, first: float, second: float | None = None) -> None:
    ratio = first/second if second else None
    LINES.append(dict(what=what, first_s=first, second_s=second, ratio=ratio, machine=machine(), versions=versions()))
    print(f"{what:86s} {first:8.2f} s" + (f" {second:8.2f} s   {ratio:5.1f} x" if second else ""), flush=True)


def machine() -> str:
    models = [l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name")] if Path("/proc/cpuinfo").exists() else []
    return f"{models[0] if models else platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"


def task(d: int, C: int, shots: int, seed: int = 1, val: int = 4):
    g = np.random.default_rng(seed)
    T = l2norm(g.normal(size=(C, d)))
    def images(k): y = np.repeat(np.arange(C), k); return l2norm(T[y] + g.normal(size=(len(y), d)) / d**.5), y
    return make_task(*images(shots), T, *images(val), seed=seed)


def side_by_side() -> None:
    r, tasks = PaperRecipe(iterations=200), [task(64, 10, k, s) for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
    line("cmm-paper, 15 tasks (d=64, C=10), 200 iterations: one by one | together", seconds(lambda: [train_paper([t], r) for t in tasks], 1), seconds(lambda: train_paper(tasks, r)))
    line("cmm, the same 15 tasks: one by one | together", seconds(lambda: [fit_cmm([t]) for t in tasks], 2), seconds(lambda: fit_cmm(tasks), 2))


def recipes(C: int, d: int, shots: int, iterations: int) -> None:
    t, r = task(d, C, shots), PaperRecipe(iterations=iterations)
    paper = seconds(lambda: train_paper([t], r), 1) * 16_000/iterations
    line(f"C={C}, d={d}, {shots} shots: cmm-paper (16,000 iterations, scaled from {iterations}) | cmm", paper, seconds(lambda: fit_cmm([t]), 2))


def curve() -> None:
    path = optional_data("real_clip/fashion_vitb32.npz")
    if path:
        tasks = [pack_task(load_pack(path), k, s)[0] for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
        line("cmm, the 5-shot x 3-seed curve of fashion_vitb32 (d=512, C=12)", seconds(lambda: fit_cmm(tasks), 2))


def extraction() -> None:
    enc, ds = load_encoder(), load_dataset("digits")
    images = [ds.images[i] for i in range(512)]
    x = torch.stack([enc.preprocess(im) for im in images])
    def forward():
        with torch.inference_mode(), few_threads(1): return [enc.model.encode_image(b) for b in x.split(64)]
    line("512 digits, embedded encoder: with decoding and transform | forward only", seconds(lambda: enc.encode_images(images)), seconds(forward))


if __name__ == "__main__":
    print(f"{machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n{'':86s} {'first':>10s} {'second':>10s}   ratio")
    side_by_side(); extraction(); curve(); recipes(100, 512, 16, 400)
    if not QUICK:
        recipes(1000, 1024, 16, 100)
        line("cmm, C=1000, d=1024, N=32,000 + 4,000 validation", seconds(lambda: fit_cmm([task(1024, 1000, 32)]), 1))
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20:.1f} GiB")
    print("written:", write_rows(LINES, Path(__file__).resolve().parent.parent/"runs"/"bench.json"))
