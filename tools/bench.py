"""Ratios measured in one run on this machine: tools/bench.py [--quick].

Not a test; machines are noisy, so read the ratios and not the seconds. Timed inputs are drawn (tools/drawn.py), except
for the whole curve, which uses real features where CMM_DATA has them. Accuracies are those of the drawn world, and say
nothing about a real one."""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from drawn import Drawn, drawn_task
from PIL import Image
from sklearn.linear_model import LogisticRegression
from timing import LINES, line, machine, note, seconds

from cmm_nb.clip.encoders import batches, embed, load_encoder
from cmm_nb.clip.features import features_of
from cmm_nb.clip.packs import FeaturePack, load_pack
from cmm_nb.clip.store import RowFile, encoder_folder, image_keys
from cmm_nb.core import l2norm, optional_data
from cmm_nb.data.images import load_dataset
from cmm_nb.model.choice import n_settings
from cmm_nb.model.methods import fit_many
from cmm_nb.model.paper import PaperRecipe, train_paper
from cmm_nb.model.recipe import fit_cmm
from cmm_nb.model.tasks import Task, pack_task
from cmm_nb.runs.results import write_rows

QUICK = "--quick" in sys.argv


def memory() -> float:
    "Anonymous memory of this process in MB, where the system tells (Linux); mapped files do not count."
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("RssAnon")]
    return kilobytes[0] / 1e3 if kilobytes else float("nan")


def side_by_side() -> None:
    r = PaperRecipe(iterations=200)
    tasks = [drawn_task(10, 64, k, s)[0] for k in (1, 2, 4, 8, 16) for s in (1, 2, 3)]
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
    t, r = drawn_task(C, d, shots)[0], PaperRecipe(iterations=iterations)
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


class Peak:
    "With it around a piece of work: the most anonymous memory (MB) of this process in it, beside what it had before."

    def __enter__(self):
        self.before, self.most, self.over = memory(), 0.0, threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        return self

    def watch(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, memory() - self.before)

    def __exit__(self, *_):
        self.over.set()
        self.watcher.join()


def million(n: int = 1_000_000, d: int = 512, C: int = 100) -> None:
    "A pack of drawn rows in a file: a task of 16 shots from it, `cmm`, and the answers for every row."
    world, block = Drawn(C, d), 100 * C
    with tempfile.TemporaryDirectory() as folder:
        rows = np.lib.format.open_memmap(f"{folder}/rows.npy", "w+", np.float32, (n, d))
        for first in range(0, n, block):
            rows[first : first + block] = world.images(block // C)[0]
        half = np.where(np.arange(n) < n // 2, "train", "test")
        label, names = np.arange(n) % C, [f"class {c}" for c in range(C)]
        start = time.process_time()
        with Peak() as peak:
            pack = FeaturePack(image=rows, text=world.text, label=label, split=half, class_names=names)
            task, _ = pack_task(pack, 16, 1)
            drawn = time.process_time()
            (fitted,) = fit_cmm([task])
            fit = time.process_time()
            right = (fitted.predict(rows) == label).mean()
        took = drawn - start, fit - drawn, time.process_time() - fit
    print(
        f"    {n:,} x {d} mapped rows ({rows.nbytes / 1e6:.0f} MB): CPU time {took[0]:.1f} s to check them and draw "
        f"16 shots, {took[1]:.1f} s to fit cmm, {took[2]:.1f} s to answer them all ({right:.1%} right); "
        f"memory of its own at most +{peak.most:.0f} MB"
    )


GROWING = ("cmm", "gda", "tip-adapter", "lp++")
BASE = dict(C=100, d=256, shots=16, tasks=1)
GROWTH = dict(C=(100, 200, 400), d=(256, 512, 1024), shots=(16, 32, 64), tasks=(1, 2, 4))


def kilobytes(field: str) -> int:
    "A size of this process, such as VmHWM, where the system tells (Linux); else the peak so far."
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return next(int(row.split()[1]) for row in status.read_text().splitlines() if row.startswith(field))


def warm_up(name: str) -> None:
    "Load what a method loads once."
    fit_many(name, [drawn_task(4, 16, 2)[0]])


def measured(name: str, C: int, d: int, shots: int, tasks: int) -> None:
    "In a process of its own: seconds of CPU time and MiB that a method takes beside its tasks, as JSON."
    given = [drawn_task(C, d, shots, seed=seed)[0] for seed in range(tasks)]
    warm_up(name)
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, start = kilobytes("VmRSS"), time.process_time()
    fit_many(name, given)
    print(json.dumps([time.process_time() - start, (kilobytes("VmHWM") - before) / 1024]))


def elsewhere(name: str, sizes: dict[str, int]) -> tuple[float, float]:
    "What `measured` prints, with one thread."
    command = [sys.executable, __file__, "--measured", name, *map(str, sizes.values())]
    env = os.environ | dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return tuple(json.loads(out.splitlines()[-1]))


def slope(values, found) -> float:
    "The power with which what was found grows with the values: a line through the logarithms."
    return float(np.polyfit(np.log(values), np.log(np.maximum(found, 1e-3)), 1)[0])


def growth() -> None:
    "How seconds and MiB grow with each size alone, from a base: the power of the size."
    print(f"\npowers of growth from {BASE}: CPU seconds | MiB (from the first to the last value)")
    for name in GROWING[: 1 if QUICK else None]:
        start = elsewhere(name, BASE)
        for size, values in GROWTH.items():
            found = [start] + [elsewhere(name, BASE | {size: value}) for value in values[1:]]
            time_power, space_power = (slope(values, numbers) for numbers in zip(*found))
            (first_s, first_mib), (last_s, last_mib) = found[0], found[-1]
            note(f"growth of {name} with {size}", seconds_power=time_power, mib_power=space_power)
            print(
                f"{name:14s} {size:6s} {values[0]:5d} to {values[-1]:5d}   "
                f"s ~ {size}^{time_power:4.2f} ({first_s:.2f} to {last_s:.2f})   "
                f"MiB ~ {size}^{space_power:4.2f} ({first_mib:.0f} to {last_mib:.0f})",
                flush=True,
            )


def logistic(task: Task):
    "scikit-learn's logistic regression on the images, C of seven by the validation images; rows ten long."
    X, y, V, y_val = (t.numpy() for t in (task.X, task.y, task.X_val, task.y_val))
    model, best = LogisticRegression(max_iter=1000, warm_start=True), (-1.0, None)
    for strength in np.logspace(-2, 4, 7):
        model.set_params(C=strength).fit(10 * X, y)
        hits = model.score(10 * V, y_val)
        best = max(best, (hits, (model.coef_.copy(), model.intercept_.copy())), key=lambda one: one[0])
    head, bias = best[1]
    return lambda z: (10 * z @ head.T + bias).argmax(1)


def tip_loop(task: Task):
    "Tip-Adapter-F as its authors run it: 20 epochs in batches of 256, then a search of 200 x 20 strengths."
    X, V, s = task.X, task.X_val, task.logit_scale
    values = torch.nn.functional.one_hot(task.y, task.n_classes).float()
    keys = torch.nn.Parameter(X.clone())
    optimiser = torch.optim.AdamW([keys], lr=1e-3, eps=1e-4)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 20 * math.ceil(len(X) / 256))
    torch.manual_seed(0)
    for _ in range(20):
        for rows in torch.randperm(len(X)).split(256):
            z = X[rows]
            logits = s * z @ task.T0.T + (z @ keys.T - 1).exp() @ values
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(logits, task.y[rows]).backward()
            optimiser.step()
            rate.step()
    keys = keys.detach()
    near, clip, best = V @ keys.T, s * V @ task.T0.T, (-1.0, 1.0, 1.0)
    for beta in np.linspace(0.1, 7, 200):
        extra = (beta * (near - 1)).exp() @ values
        for alpha in np.linspace(0.1, 3, 20):
            hits = ((clip + alpha * extra).argmax(1) == task.y_val).float().mean().item()
            best = max(best, (hits, beta, alpha))
    _, beta, alpha = best

    def predict(z):
        z = torch.from_numpy(z)
        return (s * z @ task.T0.T + alpha * (beta * (z @ keys.T - 1)).exp() @ values).argmax(1).numpy()

    return predict


def probe_loop(task: Task):
    "A linear probe as CoOp's code trains: SGD 0.002 with momentum and a cosine, 200 epochs in batches of 32."
    data = torch.utils.data.TensorDataset(task.X, task.y)
    torch.manual_seed(0)
    batches_of_32 = torch.utils.data.DataLoader(data, 32, shuffle=True)
    head = torch.nn.Linear(task.width, task.n_classes, bias=False)
    head.weight.data = task.T0.clone()
    optimiser = torch.optim.SGD(head.parameters(), lr=0.002, momentum=0.9, weight_decay=5e-4)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 200)
    for _ in range(200):
        for z, y in batches_of_32:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(task.logit_scale * head(z), y).backward()
            optimiser.step()
        rate.step()
    weights = head.weight.detach().numpy()
    return lambda z: (z @ weights.T).argmax(1)


PEERS = (
    ("LogisticRegression, 7 values of C", logistic, "linear-probe"),
    ("Tip-Adapter-F, 20 epochs, 200 x 20", tip_loop, "tip-adapter-f"),
    ("linear probe in batches of 32, 200 epochs", probe_loop, "cross-modal-linear"),
)


def peers(C: int = 50, d: int = 512, shots: int = 16) -> None:
    "Plain re-implementations of what others run against our form of the same, and `cmm`: seconds and accuracies."
    task, world = drawn_task(C, d, shots)
    Z, y = world.images(20)
    print(
        f"\n{len(task.X)} rows, C={C}, d={d}, {len(task.X_val)} to choose by: theirs | ours, test accuracies behind"
    )
    warm_up("cmm")
    start = time.perf_counter()
    (cmm,) = fit_many("cmm", [task])
    took = time.perf_counter() - start
    print(f"    cmm: {took:.2f} s, {(cmm.predict(Z) == y).mean():.1%}")
    for label, run, ours in PEERS:
        start = time.perf_counter()
        predict = run(task)
        middle = time.perf_counter()
        (fitted,) = fit_many(ours, [task])
        theirs, own = middle - start, time.perf_counter() - middle
        tried = n_settings(fitted.info["grid"])
        line(f"{label} | {ours}, {tried} settings", theirs, own)
        accuracies = [float((answer == y).mean()) for answer in (predict(Z), fitted.predict(Z))]
        slower = f"; ours is {own / theirs:.1f} times slower" if own > theirs else ""
        print(
            f"    {accuracies[0]:.1%} | {accuracies[1]:.1%}; cmm is {theirs / took:.1f} times faster{slower}"
        )
        LINES[-1] |= dict(first_accuracy=accuracies[0], second_accuracy=accuracies[1], cmm_s=took)


if __name__ == "__main__":
    if "--measured" in sys.argv:
        measured(sys.argv[2], *map(int, sys.argv[3:]))
        sys.exit()
    print(f"{machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':86s} {'first':>10s} {'second':>10s}   ratio")
    side_by_side()
    extraction()
    warm_cache()
    curve()
    peers()
    growth()
    recipes(100, 512, 16, 400)
    if not QUICK:
        million()
        recipes(1000, 1024, 16, 100)
        line(
            "cmm, C=1000, d=1024, N=32,000 + 4,000 validation",
            seconds(lambda: fit_cmm([drawn_task(1000, 1024, 32)[0]]), 1),
        )
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
    )
    print("written:", write_rows(LINES, Path(__file__).resolve().parent.parent / "runs" / "bench.json"))
