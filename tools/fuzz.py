"""Hostile input by the minute: tools/fuzz.py [SEED] [MINUTES or 'N cases'], or
tools/fuzz.py KIND:SEED for one case again.

Each case writes files that somebody damaged or forged, and runs a command on them in a process of its own. The answer
is right or one clear sentence, the exit code 0, 1 or 2, no file of the user's has changed, and memory and time have
kept to their limits. The last line counts: 'N cases, N faults'.
"""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np

SECONDS, BYTES = 10, 2 << 30
NAMES = [
    "a\nb",
    "\udcff\udcfe",
    "smile 😀",
    "=1+1",
    "-x",
    "<script>alert(1)</script>",
    '"><img src=x>',
    "a" * 200,
    " ",
    "ü",
]
CASES: dict[str, Callable] = {}
Make = Callable[
    [np.random.Generator, Path, Path], list
]  # (random numbers, the case's folder, good material) -> argv


def case(make: Make) -> Make:
    "Enter a kind of hostile input by the name of its function."
    CASES[make.__name__] = make
    return make


def one_of(rng, values):
    return values[int(rng.integers(len(values)))]


def junk(rng) -> Any:
    "A value that JSON and YAML can hold, and hardly any field wants."
    odd = [
        None,
        True,
        -1,
        0,
        10**12,
        10**400,
        1e308,
        float("nan"),
        float("-inf"),
        "",
        "x" * 5000,
        [],
        {},
        [[]],
        {"a": []},
    ]
    return one_of(rng, odd)


def disturbed(value: Any, rng) -> Any:
    "A copy of nested lists and tables in which one place holds something else, or nothing."
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        copy = dict(value) if isinstance(value, dict) else list(value)
        at = one_of(rng, list(copy) if isinstance(copy, dict) else range(len(copy)))
        if rng.random() < 0.15:
            del copy[at]
        else:
            copy[at] = disturbed(copy[at], rng)
        return copy
    return junk(rng)


def damaged(content: bytes, rng) -> bytes:
    "Bytes with a bit turned, cut short, without a piece, or with a piece twice."
    at, to = sorted(int(n) for n in rng.integers(0, len(content), 2))
    kind = rng.integers(4)
    if kind == 0:
        return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]
    return [content[:at], content[:at] + content[to:], content[:to] + content[at:]][kind - 1]


# Material: what a user has before anything goes wrong


def material(folder: Path) -> None:
    "Pictures of three digits, a classifier, a pack, answers, a ledger and a cache."
    from sklearn.datasets import load_digits

    from cmm_nb import load_encoder, load_features
    from cmm_nb.clip.packs import FeaturePack, save_pack
    from cmm_nb.runs.ledger import Ledger
    from cmm_nb.use.cli import main

    digits = load_digits()
    for number in range(3):
        (folder / "pictures" / "one two three".split()[number]).mkdir(parents=True)
        for i in np.flatnonzero(digits.target == number)[:4]:
            save_picture(digits.images[i], folder / "pictures" / "one two three".split()[number] / f"{i}.png")
    main(["fit", str(folder / "pictures"), "-o", str(folder / "m.cmm"), "-q", "--method", "zero-shot"])
    several = [str(folder / "pictures"), "-o", str(folder / "several.cmm"), "--multilabel"]
    main(["fit", *several, "-q"])
    main(["predict", str(folder / "m.cmm"), str(folder / "pictures"), "--csv", str(folder / "t.csv"), "-q"])
    pack = load_features("digits", load_encoder(), folder=folder / "cache")
    few = np.arange(60)
    small = FeaturePack(
        pack.image[few], pack.text, pack.label[few], pack.class_names, pack.split[few], name="p"
    )
    save_pack(small, folder / "p.npz")
    save_pack(small, folder / "p.safetensors")
    row = dict(dataset="digits", method="cmm", encoder="embedded", seed=1)
    Ledger(folder).append(
        [row | dict(shots=k, accuracy=k / 5, cell=f"c{k}") for k in (1, 2)], run="r", status="ok"
    )


def fit_of(rng, given: Path, folder: Path) -> list[str]:
    "A command that fits to what was given, now and then to several labels, with a page, or with a card."
    out = folder / "out"
    more = [["--multilabel"], ["--html", str(out / "page.html")], ["--card", str(out / "card.md")], []]
    chosen = one_of(rng, more)
    method = [] if "--multilabel" in chosen else ["--method", "zero-shot"]
    return ["fit", str(given), "-o", str(out / "m.cmm"), "-q", *method, *chosen]


def save_picture(pixels: np.ndarray, file: Path) -> None:
    from PIL import Image

    Image.fromarray((pixels * 15).astype(np.uint8)).resize((32, 32)).convert("RGB").save(file)


# Pictures and folders


@case
def picture(rng, folder, good):
    "A picture that is cut short, turned, of another mode or kind, or has a name that few expect."
    from PIL import Image

    name = one_of(rng, NAMES) if rng.random() < 0.5 else "x"
    file = folder / "in" / f"{name}{one_of(rng, ['.png', '.jpg', '.gif', '.tif', '.webp', ''])}"
    whole = next((good / "pictures" / "one").iterdir())
    kind = rng.integers(7)
    if kind == 0:
        file.write_bytes(damaged(whole.read_bytes(), rng))
    elif kind == 1:
        file.write_bytes(b"")
    elif kind == 2:
        file.write_bytes(huge_png(int(rng.integers(1, 2**31)), int(rng.integers(1, 2**31))))
    elif kind == 3:
        mode = one_of(rng, ["1", "L", "LA", "P", "RGBA", "CMYK", "I", "F", "I;16"])
        Image.new(mode, (int(rng.integers(1, 40)), int(rng.integers(1, 40)))).save(file, "TIFF")
    elif kind == 4:
        frames = [Image.new("RGB", (9, 9), (i, 0, 0)) for i in range(5)]
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    elif kind == 5:
        exif = b"Exif\0\0" + rng.bytes(40)
        Image.new("RGB", (9, 9)).save(file, "JPEG", exif=exif)
    else:
        shutil.copy(whole, file)
    out = str(folder / "out" / "t")
    sort = ["--sort", out, "--link", one_of(rng, ["hard", "symbolic"])]
    form = one_of(rng, [[], ["--json"], ["--csv", f"{out}.csv"], ["--html", f"{out}.html"], sort, sort[:2]])
    return ["predict", str(good / "m.cmm"), str(folder / "in"), *form, "-q"]


def huge_png(width: int, height: int) -> bytes:
    "The head of a PNG file that promises this many pixels."
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\4IDATabcd" + struct.pack(">I", zlib.crc32(b"IDATabcd"))


@case
def folder_of_classes(rng, folder, good):
    "Class folders with links, loops, nothing inside, copies, and odd names."
    shutil.copytree(good / "pictures", folder / "in" / "set")
    top = folder / "in" / "set"
    kind = rng.integers(6)
    if kind == 0:
        (top / one_of(rng, NAMES)).mkdir()
    elif kind == 1:
        (top / "loop").symlink_to(top, target_is_directory=True)
    elif kind == 2:
        (top / "one" / "gone.png").symlink_to(top / "nowhere")
    elif kind == 3:
        (top / "one").rename(top / one_of(rng, NAMES))
    elif kind == 4:
        for file in list((top / "one").iterdir()):
            shutil.copy(file, top / "two" / f"copy {file.name}")
    else:
        shutil.rmtree(one_of(rng, [top, top / "one"]))
    return fit_of(rng, top, folder)


@case
def labels(rng, folder, good):
    "A table of paths and labels with odd labels, other columns, other bytes."
    paths = sorted((good / "pictures").rglob("*.png"))
    lines = ["path,label", *(f"{path},{path.parent.name}" for path in paths)]
    at = int(rng.integers(len(lines)))
    lines[at] = one_of(
        rng, ["", ",", "path,path", f"{paths[0]},", f"{paths[0]},nan", "x.png,one", f"{paths[0]},=1+1", '"']
    )
    text = "\n".join(lines).encode()
    (folder / "in" / "l.csv").write_bytes(text if rng.random() < 0.7 else damaged(text, rng))
    return fit_of(rng, folder / "in" / "l.csv", folder)


@case
def names_of_classes(rng, folder, good):
    "A JSON file of words for the classes, disturbed or damaged."
    text = json.dumps(disturbed({"one": "eins", "two": "zwei", "three": "drei"}, rng)).encode()
    text = text if rng.random() < 0.6 else damaged(text, rng)
    (folder / "in" / "n.json").write_bytes(text if rng.random() < 0.9 else b"[" * 100_000)
    fit = ["fit", str(good / "pictures"), "-o", str(folder / "out" / "m.cmm"), "-q", "--method", "zero-shot"]
    return [*fit, "--names", str(folder / "in" / "n.json")]


# Files of ours that somebody else has written


@case
def model_bits(rng, folder, good):
    "A classifier's file with a bit turned, or a piece missing."
    (folder / "in" / "m.cmm").write_bytes(damaged((good / "m.cmm").read_bytes(), rng))
    return ["predict", str(folder / "in" / "m.cmm"), str(good / "pictures"), "-q"]


@case
def model_header(rng, folder, good):
    "A classifier with a forged header or forged arrays, and the hash that goes with them."
    from safetensors import safe_open
    from safetensors.numpy import save_file

    from cmm_nb.core import content_hash

    with safe_open(good / one_of(rng, ["m.cmm", "several.cmm"]), "np") as file:
        header, arrays = json.loads(file.metadata()["cmm_nb"]), {n: file.get_tensor(n) for n in file.keys()}
    if rng.random() < 0.6:
        header = disturbed(header, rng)
    else:
        name = one_of(rng, sorted(arrays))
        array = arrays[name]
        change = [
            array[..., :1],
            array * np.nan,
            array[:0],
            array - 10**6,
            array.astype(complex).view(float),
            array[None],
        ]
        arrays[name] = np.ascontiguousarray(one_of(rng, change) if array.ndim else array * np.nan)
    text = json.dumps(header)
    meta = dict(cmm_nb=text, hash=content_hash(text, arrays))
    save_file(arrays, folder / "in" / "m.cmm", metadata=meta)
    ask = one_of(rng, ["predict", "gap", "show", "evaluate", "sort"])
    model, pictures = str(folder / "in" / "m.cmm"), str(good / "pictures")
    if ask == "sort":
        return ["predict", model, pictures, "--sort", str(folder / "out" / "sorted"), "-q"]
    out = ["-o", str(folder / "out" / "page.html")] if ask == "show" else []
    return [ask, model, *([pictures] if ask in ("predict", "evaluate") else []), *out]


@case
def pack(rng, folder, good):
    "A feature pack with other kinds of numbers, other shapes, or damaged bytes."
    file = folder / "in" / one_of(rng, ["p.npz", "p.safetensors"])
    if rng.random() < 0.3:
        file.write_bytes(damaged((good / file.name).read_bytes(), rng))
        return ["gap", str(file)]
    with np.load(good / "p.npz") as whole:
        arrays = dict(whole)
    name = one_of(rng, sorted(arrays))
    array = arrays[name]
    change = [
        array.astype(str),
        np.full(array.shape, np.nan),
        array[None],
        array.ravel()[:0],
        np.zeros(array.shape, complex),
    ]
    arrays[name] = one_of(rng, [*change, np.full(array.shape, 1e30), np.array("{"), np.array(-1.0)])
    file = file.with_suffix(".npz")
    np.savez(file, **arrays)
    return ["gap", str(file), *one_of(rng, [[], ["--json"]])]


@case
def ledger(rng, folder, good):
    "A ledger with lines that are no entries, or that stand there twice."
    (segment,) = (good / "ledger").iterdir()
    line = segment.read_bytes()
    (folder / "in" / "ledger").mkdir()
    forged = json.dumps(disturbed(json.loads(line), rng)).encode() + b"\n"
    second = one_of(rng, [line, forged, forged, damaged(line, rng), b"[" * 100_000 + b"\n", b"\xff\n"])
    (folder / "in" / "ledger" / "1.jsonl").write_bytes(line + second)
    return ["ledger", str(folder / "out" / "l.csv"), "--runs", str(folder / "in")]


@case
def answers(rng, folder, good):
    "A table of answers that is another one, torn or damaged, to go on from."
    whole = (good / "t.csv").read_bytes()
    other = [
        b"my notes",
        b"\xff\xfe\n",
        b"path,model\n",
        b"\0" * 99 + b"\n",
        whole.replace(b",", b";"),
        whole + b"a,b\n",
    ]
    (folder / "out" / "t.csv").write_bytes(one_of(rng, [*other, damaged(whole, rng), damaged(whole, rng)]))
    return [
        "predict",
        str(good / "m.cmm"),
        str(good / "pictures"),
        "--csv",
        str(folder / "out" / "t.csv"),
        "-q",
    ]


@case
def grid(rng, folder, good):
    "A grid with forged fields, repetitions by name, or without an end."
    plain = dict(
        title="t",
        datasets=["digits"],
        encoders=["embedded"],
        shots=[1, 2],
        seeds=[1],
        methods=["cmm"],
        minutes=1,
    )
    plain |= dict(
        settings={"cmm": {"steps": 5}}, runs=[dict(shots=[4])], optional=True, parameters={"out": ""}
    )
    bomb = "a: &a [1,1,1]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi")
    )
    texts = [
        bomb,
        "runs: " + "[" * 50_000,
        "- " * 50_000,
        "shots: [" + "1," * 40_000 + "1]",
        "a: !!python/name:os.system",
    ]
    text = one_of(rng, texts) if rng.random() < 0.2 else json.dumps(disturbed(plain, rng))
    (folder / "in" / "g.yaml").write_text(text)
    return ["batch", str(folder / "in" / "g.yaml"), "-n", "-q", "--runs", str(folder / "out" / "runs")]


@case
def cache(rng, folder, good):
    "A part of the cache that is damaged: the rows must be the right ones all the same."
    shutil.copytree(good / "cache", folder / "out" / "cache")
    file = one_of(rng, sorted(path for path in (folder / "out" / "cache").rglob("*.*") if path.is_file()))
    file.write_bytes(damaged(file.read_bytes(), rng))
    if rng.random() < 0.5:
        return ["cache", one_of(rng, ["ls", "verify"]), "--folder", str(folder / "out" / "cache")]

    def same_rows() -> int:
        from cmm_nb import load_encoder, load_features

        found = load_features("digits", load_encoder(), folder=folder / "out" / "cache")
        with np.load(good / "p.npz") as whole:
            assert np.allclose(found.image[:60], whole["image"], atol=1e-5), "other rows"
            assert np.allclose(found.text, whole["text"], atol=1e-5), "other texts"
        return 0

    return [same_rows]


@case
def command_line(rng, folder, good):
    "Values on the command line that are out of range, or of another kind."
    odd = one_of(rng, ["nan", "-1", "inf", "0", "1e400", "", "x" * 3000, "-5", "[", "\udcff", "=1"])
    model, pictures = str(good / "m.cmm"), str(good / "pictures")
    out = str(folder / "out" / "m.cmm")
    name = odd if odd != "nan" else "x"  # a file of this name would be said again
    commands = [
        ["cache", "prune", "--older-than", odd, "--folder", str(folder / "out")],
        ["cache", "prune", "--to-size", odd, "--folder", str(folder / "out")],
        ["predict", model, pictures, "--top", odd],
        ["suggest", model, pictures, "-k", odd],
        ["fit", pictures, "-o", out, "--false-alarm", odd, "-q"],
        ["fit", pictures, "-o", out, "--templates", odd, "-q"],
        ["fit", pictures, "-o", out, "--method", odd, "-q"],
        ["fit", pictures, "-o", out, "-s", f"steps={odd}", "-q"],
        ["gap", str(good / "p.npz"), "--seed", odd],
        ["batch", "-n", "-p", f"shots={odd}", "--runs", str(folder / "out")],
        ["predict", odd, pictures],
        ["predict", model, pictures, "--sort", name],
        ["predict", model, pictures, "--html", name],
        ["serve", model, "--port", one_of(rng, ["nan", "-1", "70000", "", "x"])],
        ["fit", pictures, "-o", out, "--card", name, "-q"],
        ["data", "check", odd],
    ]
    return one_of(rng, commands)


# Running a case


@dataclass
class Outcome:
    code: int | None  # None: it had to be stopped
    said: str
    complaint: str


def state_of(folder: Path) -> dict[str, str]:
    "What stands below a folder: path -> hash."
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def in_child(argv: list, said: Path, complaint: Path) -> None:
    "Run a command in this process, with limits; what it prints goes into two files."
    for stream, file in ((1, said), (2, complaint)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, errors="surrogateescape") for n in (1, 2))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    from cmm_nb.use.cli import main

    code = argv[0]() if callable(argv[0]) else main(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(argv: list, folder: Path) -> Outcome:
    "Run a command in a forked copy of this process."
    said, complaint = folder / "said", folder / "complaint"
    child = os.fork()
    if child == 0:
        try:
            in_child(argv, said, complaint)
        except SystemExit as end:  # argparse
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    end, status = time.time() + 6 * SECONDS, None  # the machine may have other things to do
    while time.time() < end and status is None:
        pid, ended = os.waitpid(child, os.WNOHANG)
        status = ended if pid else None
        time.sleep(0.002)
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status) if status is not None else None
    texts = (file.read_text(errors="replace") if file.exists() else "" for file in (said, complaint))
    return Outcome(code if code is None or code >= 0 else None, *texts)


def fault(outcome: Outcome, before: dict, after: dict) -> str:
    "What is wrong with the outcome of a case; empty when nothing is."
    lines = [line for line in outcome.complaint.splitlines() if line.strip()]
    if outcome.code not in (0, 1, 2):
        return "stopped: too long, or killed" if outcome.code is None else f"exit code {outcome.code}"
    if "Traceback" in outcome.said + outcome.complaint:
        return lines[-1][:300]
    if before != after:
        return "files of the user's have changed: " + ", ".join(
            sorted(set(before.items()) ^ set(after.items()))[0]
        )
    if outcome.code and not any(line.startswith("cmm") for line in lines) and not outcome.said:
        return f"exit code {outcome.code} without a sentence"
    from_argparse = lines and lines[0].startswith("usage:")  # which repeats what was typed
    if outcome.code and lines and not from_argparse and len(lines[-1]) > 1500:
        return f"a sentence of {len(lines[-1]):,d} letters"
    words = outcome.said.replace(",", " ").split()
    return "an answer of NaN" if not outcome.code and {"nan", "NaN"} & set(words) else ""


def check(kind: str, seed: int, good: Path) -> str:
    "Make a case and run it; what is wrong, or nothing."
    with tempfile.TemporaryDirectory(prefix="case ") as place:
        folder = Path(place)
        for name in ("in", "out", "cwd"):
            (folder / name).mkdir()
        os.chdir(folder / "cwd")
        try:
            argv = CASES[kind](np.random.default_rng([seed, *kind.encode()]), folder, good)
        except (OSError, ValueError, SystemError):
            return ""  # this file system, or Pillow, refuses to write such a thing
        before = state_of(folder / "in")
        return fault(run(argv, folder), before, state_of(folder / "in"))


def fuzz(seed: int, cases: int | None = None, minutes: float = 1) -> int:
    "Run cases of every kind in turn; prints each fault, and the count. Returns how many faults there were."
    import torch

    import cmm_nb.use.classifier  # noqa: F401, so that no case has to

    torch.set_num_threads(1)
    home = tempfile.mkdtemp(prefix="fuzz ")
    good, faults, n, end = Path(home), 0, 0, time.time() + 60 * minutes
    try:
        with contextlib.redirect_stdout(None), warnings.catch_warnings():
            os.environ["CMM_CACHE"] = str(good / "of the user")
            material(good)
        while n < cases if cases else time.time() < end:
            kind, number = list(CASES)[n % len(CASES)], seed + n // len(CASES)
            if found := check(kind, number, good):
                faults += 1
                print(f"{kind}: {found}\n  again: python tools/fuzz.py {kind}:{number}", flush=True)
            n += 1
    finally:
        os.chdir("/")
        shutil.rmtree(home)
    print(f"{n} cases, {faults} faults")
    return faults


def again(kind: str, seed: int) -> int:
    "One case with all that it prints."
    for other in CASES.keys() - {kind}:
        del CASES[other]
    return fuzz(seed, cases=1)


if __name__ == "__main__":
    first, amount = (sys.argv[1:] + ["0", "1"][len(sys.argv) - 1 :])[:2]
    if ":" in first:
        sys.exit(bool(again(first.partition(":")[0], int(first.partition(":")[2]))))
    number = float(amount.split()[0])
    how_many = dict(cases=int(number)) if "cases" in amount else dict(minutes=number)
    sys.exit(bool(fuzz(int(first), **how_many)))
