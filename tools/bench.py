"""Ratios measured in one run on this machine: tools/bench.py. Nothing here is a test; machines are noisy, so read the ratios and not the seconds."""
import os
import time

import numpy as np
import torch

from cmm_nb.core import few_threads, l2norm
from cmm_nb.data import load_dataset
from cmm_nb.encoders import load_encoder
from cmm_nb.tasks import make_task
from cmm_nb.training import PaperRecipe, train_paper


def seconds(run, repeat: int = 3) -> float:
    "Best of `repeat` runs after one to warm up."
    run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
    return min(times)


def line(what: str, slow: float, fast: float) -> None:
    print(f"{what:72s} {slow:8.2f} s {fast:8.2f} s   {slow/fast:5.1f} x", flush=True)


def task(d: int, C: int, shots: int, seed: int):
    "A task on the sphere with clusters; speed does not depend on where the rows come from."
    g = np.random.default_rng(seed)
    T, y = l2norm(g.normal(size=(C, d))), np.repeat(np.arange(C), shots)
    return make_task(T[y] + g.normal(size=(len(y), d)) / d**.5, y, T, seed=seed)


def side_by_side() -> None:
    r = PaperRecipe(iterations=200)
    tasks = [task(64, 10, k, s) for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
    line("cmm-paper, 15 tasks (d=64, C=10), 200 iterations: one by one, together", seconds(lambda: [train_paper([t], r) for t in tasks], 1), seconds(lambda: train_paper(tasks, r)))


def extraction() -> None:
    enc, ds = load_encoder(), load_dataset("digits")
    images = [ds.images[i] for i in range(512)]
    x = torch.stack([enc.preprocess(im) for im in images])
    def forward():
        with torch.inference_mode(), few_threads(1): return [enc.model.encode_image(b) for b in x.split(64)]
    line("512 digits, embedded encoder: with decoding and transform, forward only", seconds(lambda: enc.encode_images(images)), seconds(forward))


if __name__ == "__main__":
    print(f"{os.cpu_count()} CPUs, torch {torch.__version__}, {torch.get_num_threads()} threads\n{'':72s} {'first':>10s} {'second':>10s}   ratio")
    side_by_side()
    extraction()
