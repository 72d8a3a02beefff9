"""Ratios measured in one run on this machine: tools/bench.py [--quick].

Not a test; machines are noisy, so read the ratios and not the seconds. Timed inputs are made up (speed does not
depend on them), except for the whole curve, which uses real features where CMM_DATA has them."""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from timing import LINES, line, machine, seconds

from cmm_nb.clip.encoders import batches, embed, load_encoder
from cmm_nb.clip.features import features_of
from cmm_nb.clip.packs import load_pack
from cmm_nb.clip.store import RowFile, encoder_folder, image_keys
from cmm_nb.core import l2norm, optional_data
from cmm_nb.data.images import load_dataset
from cmm_nb.model.paper import PaperRecipe, train_paper
from cmm_nb.model.recipe import fit_cmm
from cmm_nb.model.tasks import make_task, pack_task
from cmm_nb.runs.results import write_rows

QUICK = "--quick" in sys.argv


def memory() -> float:
    "Anonymous memory of this process in MB, where the system tells (Linux); mapped files do not count."
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("RssAnon")]
    return kilobytes[0] / 1e3 if kilobytes else float("nan")


def task(d: int, C: int, shots: int, seed: int = 1, val: int = 4):
    g = np.random.default_rng(seed)
    T = l2norm(g.normal(size=(C, d)))

    def images(k):
        y = np.repeat(np.arange(C), k)
        return l2norm(T[y] + g.normal(size=(len(y), d)) / d**0.5), y

    return make_task(*images(shots), T, *images(val), seed=seed)


def side_by_side() -> None:
    r, tasks = PaperRecipe(iterations=200), [task(64, 10, k, s) for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
    line(
        "cmm-paper, 15 tasks (d=64, C=10), 200 iterations: one by one | together",
        seconds(lambda: [train_paper([t], r) for t in tasks], 1),
        seconds(lambda: train_paper(tasks, r)),
    )
    line(
        "cmm, the same 15 tasks: one by one | together",
        seconds(lambda: [fit_cmm([t]) for t in tasks], 2),
        seconds(lambda: fit_cmm(tasks), 2),
    )


def recipes(C: int, d: int, shots: int, iterations: int) -> None:
    t, r = task(d, C, shots), PaperRecipe(iterations=iterations)
    paper = seconds(lambda: train_paper([t], r), 1) * 16_000 / iterations
    line(
        f"C={C}, d={d}, {shots} shots: cmm-paper (16,000 iterations, scaled from {iterations}) | cmm",
        paper,
        seconds(lambda: fit_cmm([t]), 2),
    )


def curve() -> None:
    path = optional_data("real_clip/fashion_vitb32.npz")
    if path:
        tasks = [pack_task(load_pack(path), k, s)[0] for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
        line(
            "cmm, the 5-shot x 3-seed curve of fashion_vitb32 (d=512, C=12)",
            seconds(lambda: fit_cmm(tasks), 2),
        )


def alternating(*runs, repeat: int) -> list[tuple[float, float]]:
    """Best seconds, and best seconds of CPU time, of each of several runs.

    They are taken in turn, so that a busy moment of the machine hits all of them."""
    took = []
    for _ in range(repeat):
        for run in runs:
            start, cpu = time.perf_counter(), time.process_time()
            run()
            took.append((time.perf_counter() - start, time.process_time() - cpu))
    return [tuple(map(min, zip(*took[k :: len(runs)]))) for k in range(len(runs))]


class Files:
    "JPEG files as a sequence of RGB images."

    def __init__(self, paths):
        self.paths = list(paths)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as image:
            return image.convert("RGB")


def throughput(what: str, enc, images, repeat: int) -> None:
    "Extraction, its forward pass on tensors in memory, and decoding alone, all through one encoder."
    x = torch.stack([enc.tensor(images[i]) for i in range(len(images))])

    def forward():
        list(embed(enc, enumerate(x), 32))

    def decode():
        [enc.tensor(images[i]) for i in range(len(images))]

    (whole, whole_cpu), (ahead, ahead_cpu), (alone, _) = alternating(
        lambda: enc.encode_images(images, 32), forward, decode, repeat=repeat
    )
    line(f"{what}: forward pass on tensors in memory | extraction from files", ahead, whole)
    line(f"{what}: decoding and transform alone, one thread | forward pass", alone, ahead)
    rates = f"{len(images) / whole:.1f} of {len(images) / ahead:.1f} images/s"
    print(
        f"    throughput {ahead / whole:.1%} of the forward pass ({rates}), "
        f"in CPU time {ahead_cpu / whole_cpu:.1%}; "
        f"without overlap decoding would take {alone / (alone + ahead):.1%} of the time"
    )


def extraction() -> None:
    digits = load_dataset("digits").images
    throughput("512 digits, embedded", load_encoder(), [digits[i] for i in range(512)], 5)
    folder = optional_data("caltech101-mini")
    if folder:
        files = Files(sorted(folder.rglob("*.jpg"))[::50])
        throughput(f"{len(files)} Caltech101 photographs, embedded", load_encoder(), files, 5)
        throughput(
            f"{len(files)} Caltech101 photographs, ViT-B-32 (untrained)",
            load_encoder("ViT-B-32", "random"),
            files,
            5,
        )


class Unread(Files):
    def __getitem__(self, i):
        raise OSError("a warm cache opens no picture")


def warm_cache(n: int = 100_000, d: int = 512, C: int = 100) -> None:
    "Made-up unit rows through the real store, then from the data set to a task: CPU time, and what is allocated."
    enc, label = load_encoder(), np.arange(n) % C
    images = replace(
        load_dataset("digits"),
        name="made-up",
        images=Unread(range(n)),
        label=label,
        class_names=[f"class {c}" for c in range(C)],
        split=np.where(np.arange(n) // C % 2, "train", "test"),
        flip=True,
    )
    images.image_hashes = lambda: [f"{i:032x}" for i in range(n)]
    enc.dim = d  # the width of ViT-B/32
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(
            type(enc),
            "encode_text",
            lambda self, texts, **_: np.tile(np.eye(d, dtype=np.float32), (len(texts) // d + 1, 1))[
                : len(texts)
            ],
        ),
    ):
        home, keys, g = encoder_folder(enc, folder), image_keys(images), np.random.default_rng(0)
        for view in ("center", "flip"):
            for block in batches(keys, 4096):
                RowFile(home / view / "made-up.rows", d).append(
                    block, l2norm(g.normal(size=(len(block), d)).astype(np.float32))
                )
        line(
            f"{n:,} x {d}, 2 views: from finished rows to a data set's files (once)",
            seconds(lambda: features_of(images, enc, folder=folder), 1),
        )
        before, cpu = memory(), time.process_time()
        pack = features_of(images, enc, folder=folder)
        pack_task(pack, 16, 1)
        print(
            f"    warm cache to the first task: {time.process_time() - cpu:.2f} s CPU time; "
            f"memory of its own +{memory() - before:.0f} MB "
            f"(the features are {2 * n * d * 4 / 1e6:.0f} MB, mapped)"
        )


if __name__ == "__main__":
    print(f"{machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':86s} {'first':>10s} {'second':>10s}   ratio")
    side_by_side()
    extraction()
    warm_cache()
    curve()
    recipes(100, 512, 16, 400)
    if not QUICK:
        recipes(1000, 1024, 16, 100)
        line(
            "cmm, C=1000, d=1024, N=32,000 + 4,000 validation",
            seconds(lambda: fit_cmm([task(1024, 1000, 32)]), 1),
        )
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
    )
    print("written:", write_rows(LINES, Path(__file__).resolve().parent.parent / "runs" / "bench.json"))
