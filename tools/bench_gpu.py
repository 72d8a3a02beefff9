"""Seconds, memory and agreement on one NVIDIA GPU, measured in one run: tools/bench_gpu.py [--minutes 6].

Not a test. Every section runs in a process of its own, with a time limit of its own: one that fails, hangs or runs
out of memory is reported and costs no other. The most important come first; what no time is left for is skipped.
--device cpu --tiny runs all of it, small, where there is no GPU: that checks this file and measures nothing."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import timing
import torch
from PIL import Image

import cmm_nb.baselines.closed  # noqa: F401  imported once here, not in every section's process
import cmm_nb.gap.measures
from cmm_nb.clip.encoders import PRECISIONS, load_encoder
from cmm_nb.core import l2norm
from cmm_nb.model import paper
from cmm_nb.model.methods import METHODS, feature_methods, fit_many
from cmm_nb.model.tasks import Task, make_task
from cmm_nb.runs.results import write_rows

OUT = Path(__file__).resolve().parent.parent / "runs" / "bench_gpu.json"
PAPER = ("cmm-paper", "cmm-paper-searched")
QUICK_FIRST = (  # methods on ImageNet-16 by what they cost there; any other comes last
    "zero-shot nearest-mean gda lp++ knn linear-anchor clap taskres linear-probe tip-adapter ape clip-adapter "
    "cross-modal-linear wise-ft cross-modal-wise-ft prolip cmm-paper-searched sgva ape-t proker tip-adapter-f"
).split()

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--minutes", type=float, default=6.0, help="for all sections together")
parser.add_argument("--device", default="cuda")
parser.add_argument("--tiny", action="store_true", help="small sizes, to check this file")
parser.add_argument(
    "--only", nargs="*", default=[], help="these sections only, by the name of their function"
)
parser.add_argument("--start", default="fork", choices=("fork", "spawn"), help="how processes are started")
parser.add_argument("--out", default=str(OUT), help="the JSON file")
ARGS = parser.parse_args()
START, PIPE = time.monotonic(), None
TINY, ON_GPU = ARGS.tiny, ARGS.device.startswith("cuda")


# -- sections in processes


def left() -> float:
    "Seconds that are left for all sections."
    return 60 * ARGS.minutes - (time.monotonic() - START)


def note(what: str, **numbers) -> None:
    "Hand a row to the process that collects them."
    PIPE.send(dict(what=what, **numbers))


def collect(what: str, **numbers) -> None:
    "Print a row, and keep it for the file."
    shown = (
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in numbers.items()
    )
    print(f"[{time.monotonic() - START:5.0f} s] {what}: " + ", ".join(shown), flush=True)
    timing.note(what, **numbers)


def said(error: BaseException) -> str:
    "The first line of an error."
    kind = "out of memory" if isinstance(error, torch.OutOfMemoryError) else type(error).__name__
    return f"{kind}: {(str(error).splitlines() or [''])[0][:160]}"


def in_child(pipe, section, args) -> None:
    global PIPE
    PIPE = pipe
    name = " ".join([section.__name__, *map(str, args)])
    try:
        section(*args)
    except Exception as error:
        note(f"{name} failed", error=said(error))
        if not isinstance(error, torch.OutOfMemoryError):
            traceback.print_exc()


def run(section, limit: float, *args) -> bool:
    "Run a section in a process of its own, at most `limit` seconds. Did it end by itself?"
    name = " ".join([section.__name__, *map(str, args)])
    if ARGS.only and section.__name__ not in ["draw", *ARGS.only]:
        return True
    limit = min(limit, left())
    if limit < 5:
        collect(f"{name} skipped", reason="no time left")
        return False
    context = multiprocessing.get_context(ARGS.start)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=in_child, args=(sender, section, args))
    process.start()
    sender.close()
    end, open_ = time.monotonic() + limit, True
    while open_ and receiver.poll(max(0.0, end - time.monotonic())):
        try:
            collect(**receiver.recv())
        except EOFError:
            open_ = False
    if open_:
        process.kill()
        collect(f"{name} stopped", reason=f"over {limit:.0f} s")
    process.join(10)
    if process.exitcode and not open_:
        collect(f"{name} ended badly", exitcode=process.exitcode)
    write_rows(timing.LINES, ARGS.out)
    return not open_


# -- on the device


def sync() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def timed(work):
    "Seconds of `work()`, the most memory that was allocated meanwhile (GiB), and what it returned."
    sync()
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    found = work()
    sync()
    took = time.perf_counter() - start
    return took, torch.cuda.max_memory_allocated() / 2**30 if ON_GPU else float("nan"), found


def warm_up(optimizer: bool = False) -> None:
    "Load the libraries of the device, and what torch imports at the first step of an optimizer: no method pays for it."
    A = torch.eye(64, device=ARGS.device)
    for fine in (A, A.double()):
        torch.linalg.eigh(fine @ fine)
        torch.linalg.solve(fine, fine)
        torch.linalg.svd(fine[:8])
        torch.linalg.qr(fine)
    x = A.clone().requires_grad_()
    (x @ x).log_softmax(-1).sum().backward()
    sync()
    if optimizer:
        start = time.perf_counter()
        torch.optim.AdamW([x], fused=True).step()
        sync()
        note("the first step of an optimizer in a process (imports)", seconds=time.perf_counter() - start)


def per_second(work, amount: float, at_least: float = 0.5) -> float:
    "`amount` over the seconds of one `work()`, over many of them."
    work()
    sync()
    start, n = time.perf_counter(), 0
    while n < 3 or time.perf_counter() - start < (0.05 if TINY else at_least):
        work()
        n += 1
        if n % 3 == 0:
            sync()
    sync()
    return n * amount / (time.perf_counter() - start)


def matmul_tflops(dtype: torch.dtype, n: int) -> float:
    A, B = (torch.randn(n, n, device=ARGS.device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(A)
    return per_second(lambda: torch.mm(A, B, out=out), 2 * n**3 / 1e12)


def about_the_machine() -> None:
    note(timing.machine(), torch=torch.__version__, cuda=torch.version.cuda, threads=torch.get_num_threads())
    if ON_GPU:
        if not torch.cuda.is_available():
            raise RuntimeError("CUDA is not available in this process")
        query = "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm"
        answer = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True
        )
        note("card", is_=torch.cuda.get_device_name(), nvidia_smi=answer.stdout.strip())
    note(
        "TF32 (must be off in matrix products)",
        matmul=torch.backends.cuda.matmul.allow_tf32,
        convolutions=torch.backends.cudnn.allow_tf32,
        float32_matmul_precision=torch.get_float32_matmul_precision(),
    )
    warm_up()
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        n = 256 if TINY else 8192 if dtype == torch.bfloat16 else 4096
        note(f"matrix product {n} x {n}, {dtype}", tflops=matmul_tflops(dtype, n))


# -- drawn features


def draw_task(C: int, d: int, shots: int, views: int, val: int, test: int, seed: int = 0) -> dict:
    """Features from a model, drawn on the CPU: class means and noise with a decaying spectrum around a centre of each
    modality, and texts near the means. A picture's views share most of their noise."""
    g = torch.Generator().manual_seed(seed)
    spectrum = torch.arange(1, d + 1) ** -0.5
    spectrum = spectrum / spectrum.norm()
    shared, *apart = (torch.randn(d, generator=g) / d**0.5 for _ in range(3))
    centre_image, centre_text = (2 * shared + 2 * own for own in apart)

    def cloud(n: int, size: float) -> torch.Tensor:
        return size * spectrum * torch.randn(n, d, generator=g)

    means = cloud(C, 1.0)
    texts = l2norm(centre_text + means + cloud(C, 0.6))

    def images(y: torch.Tensor, k: int = 1) -> torch.Tensor:
        base = centre_image + means[y] + cloud(len(y), 1.5)
        return l2norm(torch.cat([base + cloud(len(y), 0.5) for _ in range(k)]))

    y, y_val = torch.arange(C).repeat(shots), torch.arange(val) % C
    y_test = torch.randint(0, C, (test,), generator=g)
    pictures = torch.arange(len(y)).repeat(views)
    made = dict(X=images(y, views), y=y.repeat(views), T0=texts, X_val=images(y_val), y_val=y_val)
    return dict(task=made | dict(pictures=pictures), X_test=images(y_test), y_test=y_test)


def draw(folder: str) -> None:
    torch.save(
        draw_task(*((20, 32, 4, 2, 40, 200) if TINY else (1000, 1024, 16, 2, 4000, 5000))),
        f"{folder}/large.pt",
    )
    torch.save(
        draw_task(*((5, 16, 4, 1, 20, 100) if TINY else (12, 512, 16, 1, 48, 1000))), f"{folder}/small.pt"
    )


def load(folder: str, name: str, device: str = ARGS.device) -> tuple[Task, torch.Tensor, torch.Tensor]:
    "A drawn task on the device, and its test rows and labels."
    found = torch.load(f"{folder}/{name}.pt")
    task = make_task(**found["task"], device=device)
    return task, found["X_test"].to(device), found["y_test"].to(device)


def accuracy(fitted, X: torch.Tensor, y: torch.Tensor) -> float:
    return 100 * float((fitted.predict(X) == y).float().mean())


def size_of(task: Task) -> str:
    return f"C={task.n_classes}, d={task.width}, N={len(task.X):,} + {len(task.X_val):,}"


def paper_on_imagenet(folder: str) -> None:
    "cmm-paper twice; then replayed steps against plain ones."
    task, X, y = load(folder, "large")
    warm_up(optimizer=True)
    settings = dict(iterations=50) if TINY else {}
    first, peak, (fitted,) = timed(lambda: fit_many("cmm-paper", [task], **settings))
    what = f"ImageNet-16, {size_of(task)}: {fitted.method}"
    note(what, seconds=first, peak_gib=peak, accuracy=accuracy(fitted, X, y), alpha=fitted.info["alpha"])
    short = paper.PaperRecipe(iterations=20 if TINY else 300)
    replayed, _, (W, T, _) = timed(lambda: paper.train_paper([task], short))
    with patch.object(paper._Replayed, "record", side_effect=RuntimeError("asked for plain steps")):
        plain, _, (W_plain, T_plain, _) = timed(lambda: paper.train_paper([task], short))
    same = torch.equal(W, W_plain) and torch.equal(T, T_plain)
    note(f"{short.iterations} iterations", replayed_s=replayed, plain_s=plain, same_numbers=same)
    note(
        "greatest difference of W", of_plain=float((W - W_plain).abs().max()), W_is_up_to=float(W.abs().max())
    )
    second, _, (again,) = timed(lambda: fit_many("cmm-paper", [task], **settings))
    same = torch.equal(fitted.state["W"], again.state["W"])
    note(
        "cmm-paper once more",
        seconds=second,
        same_numbers=same,
        ms_a_step=1e3 * second / (50 if TINY else 16_000),
    )


def cmm_on_imagenet(folder: str) -> None:
    task, X, y = load(folder, "large")
    warm_up()
    first, peak, (fitted,) = timed(lambda: fit_many("cmm", [task]))
    note(f"ImageNet-16, {size_of(task)}: cmm", seconds=first, peak_gib=peak, accuracy=accuracy(fitted, X, y))
    second, _, (again,) = timed(lambda: fit_many("cmm", [task]))
    note("cmm once more", seconds=second, same_numbers=torch.equal(fitted.state["W"], again.state["W"]))


def on_imagenet(folder: str, name: str) -> None:
    "One method: seconds to fit, memory, accuracy."
    task, X, y = load(folder, "large")
    warm_up(optimizer=name in PAPER)
    settings = dict(iterations=50) if TINY and name in PAPER else {}
    took, peak, (fitted,) = timed(lambda: fit_many(name, [task], **settings))
    note(f"ImageNet-16: {name}", seconds=took, peak_gib=peak, accuracy=accuracy(fitted, X, y))


# -- the same answers as on the CPU?


def agreement(folder: str) -> None:
    quick = ["cmm", *PAPER, *QUICK_FIRST]
    names = sorted(feature_methods(), key=lambda name: quick.index(name) if name in quick else len(quick))
    here, there = load(folder, "small", "cpu"), load(folder, "small")
    for name in names:
        settings = dict(iterations=20 if TINY else 200) if name in PAPER else {}
        try:
            on_cpu, _, (a,) = timed(lambda: fit_many(name, [here[0]], **settings))
            on_device, _, (b,) = timed(lambda: fit_many(name, [there[0]], **settings))
            L, M = a.logits(here[1]), b.logits(there[1]).cpu()
            note(
                f"{name} on {ARGS.device} and cpu",
                greatest_difference=float((L - M).abs().max()),
                of_logits_up_to=float(L.abs().max()),
                other_answers=int((L.argmax(1) != M.argmax(1)).sum()),
                of=len(L),
                same_settings=a.info.get("chosen", a.info.get("alpha"))
                == b.info.get("chosen", b.info.get("alpha")),
                cpu_s=on_cpu,
                device_s=on_device,
            )
        except Exception as error:
            note(f"{name} on {ARGS.device} and cpu failed", error=said(error))


# -- many tasks at once


def side_by_side() -> None:
    shots, tasks = ((1, 2) if TINY else (1, 2, 4, 8, 16)), []
    for seed in (1, 2, 3):
        for k in shots:
            drawn = draw_task(*((5, 16) if TINY else (12, 512)), k, 1, 48, 1, seed)["task"]
            tasks.append(make_task(**drawn, seed=seed, device=ARGS.device))
    warm_up(optimizer=True)
    settings = dict(iterations=20 if TINY else 1000)
    for name, given in (("cmm-paper", settings), ("cmm", {}), ("taskres", {})):
        together, peak, _ = timed(lambda: fit_many(name, tasks, **given))
        alone, _, _ = timed(lambda: [fit_many(name, [task], **given) for task in tasks])
        label = f"{name} {given or ''}, {len(tasks)} tasks, {size_of(tasks[-1])}"
        note(label, together_s=together, one_by_one_s=alone, ratio=alone / together, peak_gib=peak)


# -- the gap


def gap(where: str) -> None:
    n, d = (300, 16) if TINY else (50_000, 512)
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n, d)).astype(np.float32)
    image, text = (
        l2norm(
            shared + rng.normal(size=(n, d)).astype(np.float32) + 0.5 * rng.normal(size=d).astype(np.float32)
        )
        for _ in range(2)
    )
    if where != "numpy":
        image, text = (torch.from_numpy(rows).to(where) for rows in (image, text))
    took, _, report = timed(lambda: cmm_nb.gap.measures.gap_report(image, text))
    note(
        f"gap_report of {n:,} + {n:,} rows, d={d}, given on {where} (it computes on the CPU)",
        seconds=took,
        measures=len(report),
        centroid_distance=report["centroid_distance"],
        threads=torch.get_num_threads(),
    )


# -- extraction


def flops_of(visual) -> float:
    "Floating-point operations of a vision transformer on one picture, a multiply and an add as two."
    n, w = visual.positional_embedding.shape
    patches = 2 * visual.conv1.weight.numel() * (n - 1)
    return patches + visual.transformer.layers * (24 * n * w**2 + 4 * n**2 * w)


class Cycle:
    "A few pictures, again and again."

    def __init__(self, items: list, n: int):
        self.items, self.n = items, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.items[i % len(self.items)]


def pictures(n: int = 128) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    coarse = (Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8)) for _ in range(n))
    return [small.resize((224, 224), Image.Resampling.BICUBIC) for small in coarse]


def extraction(model: str) -> None:
    name, pretrained = ("embedded", None) if TINY else (model, "random")
    loaded = load_encoder(name, pretrained, device=ARGS.device, precision="fp32")
    peak, flops = matmul_tflops(torch.bfloat16, 256 if TINY else 8192), flops_of(loaded.model.visual)
    decoded = pictures(16 if TINY else 128)
    ready = [loaded.tensor(picture) for picture in decoded]
    rows = {}
    for precision in ("fp16", "bf16", "fp32") if ON_GPU else ("fp32",):
        enc = replace(loaded, precision=precision)
        for size in (64, 256) if precision == "fp16" else (64,):
            resident = torch.stack([ready[i % len(ready)] for i in range(size)]).to(ARGS.device)
            kind, dtype = ARGS.device.split(":")[0], getattr(torch, PRECISIONS[precision])
            half = torch.autocast(kind, dtype, precision != "fp32")

            def forward():
                with torch.inference_mode(), half:
                    enc.model.encode_image(resident)

            bare = per_second(forward, size, 1.0)
            n = 32 if TINY else int(min(8192, max(4 * size, bare)) // size * size)  # about a second
            from_tensors, _, rows[precision] = timed(lambda: enc.encode_images(Cycle(ready, n), size))
            from_pictures, peak_gib, _ = timed(lambda: enc.encode_images(Cycle(decoded, n), size))
            note(
                f"{model}, {precision}, batches of {size}",
                forward_per_s=bare,
                from_tensors_per_s=n / from_tensors,
                percent_from_tensors=100 * n / from_tensors / bare,
                from_pictures_per_s=n / from_pictures,
                percent_from_pictures=100 * n / from_pictures / bare,
                tflops=bare * flops / 1e12,
                percent_of_bf16_product=100 * bare * flops / 1e12 / peak,
                peak_gib=peak_gib,
            )
    start = time.perf_counter()
    for picture in decoded:
        loaded.tensor(picture)
    note(f"{model}: transform alone, one thread", pictures_per_s=len(decoded) / (time.perf_counter() - start))
    few = 4 if TINY else 16
    torch.backends.cudnn.allow_tf32 = False
    rows["fp32, no TF32 in convolutions"] = loaded.encode_images(decoded[:few])
    on_cpu = replace(loaded, device="cpu", model=loaded.model.cpu()).encode_images(decoded[:few])
    for precision, found in rows.items():
        cosine = (found[:few] * on_cpu).sum(1).min()
        apart = float(np.abs(found[:few] - on_cpu).max())
        what = f"{model}, {precision} on {ARGS.device} against fp32 on cpu"
        note(what, greatest_difference=apart, least_cosine=float(cosine))


# -- all of it


def has_gpu() -> bool:
    "Is there an NVIDIA GPU? Asked in another process: CUDA must not start in the one that forks."
    code = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return not subprocess.run([sys.executable, "-c", code], capture_output=True).returncode


def everything(folder: str) -> None:
    methods = [name for name in feature_methods() if name not in ("cmm", "cmm-paper", "zero-shot-ensemble")]
    order = {name: i for i, name in enumerate(QUICK_FIRST)}
    methods.sort(key=lambda name: order.get(name, len(order)))
    run(about_the_machine, 45)
    if any(row["what"].endswith("failed") for row in timing.LINES) and ARGS.start == "fork":
        ARGS.start = "spawn"
        run(about_the_machine, 45)
    run(draw, 40, folder)
    run(paper_on_imagenet, 75, folder)
    run(cmm_on_imagenet, 40, folder)
    run(agreement, 60, folder)
    for name in methods[:10]:
        run(on_imagenet, 40, folder, name)
    run(extraction, 50, "ViT-B-32")
    run(side_by_side, 40)
    run(extraction, 60, "ViT-L-14")
    run(gap, 50, "numpy")
    for name in methods[10:]:
        run(on_imagenet, 40, folder, name)
    run(gap, 40, ARGS.device)


if __name__ == "__main__":
    warnings.filterwarnings("default", message="cmm-paper runs step by step")
    if ON_GPU and not has_gpu():
        print("No NVIDIA GPU here: nothing was measured.")
    else:
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # nobody starts CUDA before a fork
        list(METHODS)  # import every method once
        with tempfile.TemporaryDirectory() as shared:
            everything(shared)
        print("written:", write_rows(timing.LINES, ARGS.out))
