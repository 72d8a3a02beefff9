"""All checks of the project; the last line counts what ran: 'N passed, N failed'."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import style
from nbdev.test import nbdev_test

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ENV = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "HF_HUB_OFFLINE": "1"}
results: list[bool] = []

# A notebook is tested in a process of its own. Each is a copy (fork) of one that has imported these packages, nothing
# of ours and not run anything: importing them takes ten seconds, which some fifty notebooks need not spend again.
SERVER = "forkserver" in multiprocessing.get_all_start_methods()
FRESH = multiprocessing.get_context("forkserver" if SERVER else "spawn")
HEAVY = """nbdev.test torch torch._dynamo torchvision.transforms open_clip pandas scipy.stats sklearn.datasets
sklearn.manifold sklearn.linear_model sklearn.metrics matplotlib.pyplot papermill nbconvert""".split()
# What takes longest starts first, so that both workers are busy to the end.
LONGEST = """rehearsal workers report add_your_own adapters every_method towers wall embedded paper through
classifier index prompts heads side_by_side cli pictures run ladder closing suggest pipelines birth""".split()


def sh(*command, env=ENV, cwd=ROOT) -> tuple[bool, str]:
    "Did the command succeed, and all that it printed."
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode == 0, done.stdout


def report(name: str, ok: bool, output: str, seconds: float) -> None:
    results.append(ok)
    print(f"{'ok  ' if ok else 'FAIL'} {name} ({seconds:.0f} s)", flush=True)
    if not ok:
        print(output[-6000:], flush=True)


def timed(run: Callable[[], tuple[bool, str]]) -> tuple[bool, str, float]:
    start = time.time()
    try:
        ok, output = run()
    except Exception as error:
        ok, output = False, f"{type(error).__name__}: {error}"
    return ok, output, time.time() - start


def check(name: str, run: Callable[[], tuple[bool, str]]) -> None:
    report(name, *timed(run))


def in_sync() -> tuple[bool, str]:
    "Clean, export and README leave no change behind."
    if not (ROOT / ".git").exists():
        return True, "no git checkout: nothing to compare with"
    paths = ["nbs", "cmm_nb", "README.md"]

    def state() -> str:
        return sh("git", "status", "--porcelain", "--", *paths)[1] + sh("git", "diff", "--", *paths)[1]

    before = state()
    for step in ([BIN / "nbdev_clean"], [BIN / "nbdev_export"], [sys.executable, "tools/readme.py"]):
        ok, output = sh(*step)
        if not ok:
            return False, output
    after = state()
    if os.environ.get("CI") and after:
        return False, "generated files differ from what is committed:\n" + after
    return before == after, "generated files were out of sync (they are fresh now, commit them):\n" + after


def laid_out() -> tuple[bool, str]:
    "Layout and lint of notebooks, package and tools; density of the package; what the studies show."
    steps = [sh(BIN / "ruff", "format", "--check", "--diff", "nbs", "tools", "docs", "setup.py")]
    steps.append(sh(BIN / "ruff", "check", "."))
    faults = style.faults(style.measure(style.package_files())) + style.study_faults()
    return all(ok for ok, _ in steps) and not faults, "\n".join([output for _, output in steps] + faults)


def ladder() -> tuple[bool, str]:
    "A part imports only from parts above it, and a notebook only from notebooks with a lower number."
    faults = style.upward_imports()
    return not faults, "\n".join(faults)


def test_alone(path: Path, said: str) -> None:
    "What `nbdev_test --path` does, in this process; everything it prints goes into the file `said`."
    os.chdir(ROOT)
    with open(said, "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        nbdev_test(path=str(path), n_workers=0)
        sys.stdout.flush()


def notebook(path: Path) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said")
        process = FRESH.Process(target=test_alone, args=(path, str(said)))
        process.start()
        process.join()
        output = said.read_text(errors="replace") if said.exists() else ""
        return process.exitcode == 0 and "Success." in output, f"{output}exit {process.exitcode}"


def study(path: Path, small: dict) -> tuple[bool, str]:
    "A parameterised notebook on the smallest parameters that reach every cell."
    with tempfile.TemporaryDirectory(prefix="a study ") as folder:
        parameters = [f"{name}={json.dumps(value)}" for name, value in small.items()]
        options = [option for parameter in parameters for option in ("-p", parameter)]
        return sh(BIN / "cmm", "batch", "--quiet", "--notebook", path, "--runs", folder, *options)


def main_job() -> tuple[bool, str]:
    "The parameterised notebook through papermill, and what it leaves."
    with tempfile.TemporaryDirectory(prefix="main job ") as folder:
        small = [
            "-p",
            "shots=[1,4]",
            "-p",
            "seeds=[1,2]",
            "-p",
            'settings={"cmm-paper": {"iterations": 1000}}',
        ]
        ok, output = sh(BIN / "cmm", "batch", "--quiet", "--runs", folder, *small)
        if not ok:
            return False, output
        out = Path(folder) / "digits" / "embedded"
        rows = json.loads((out / "result.json").read_text())
        files = {f.name for f in out.iterdir()}
        pictures = {f"{name}.{kind}" for name in ("accuracy", "space") for kind in ("png", "svg")}
        wanted = {"run.ipynb", "result.json", "report.html"} | pictures
        good = wanted <= files and len(rows) == 16 and all(0 < row["accuracy"] <= 1 for row in rows)
        return good, f"{len(rows)} rows, files {sorted(files)}\n{output}"


def grid_and_report() -> tuple[bool, str]:
    "A grid from the command line, again (nothing is left to do), extended, and the report on its ledger."
    with tempfile.TemporaryDirectory(prefix="a grid ") as folder:

        def cmm(*arguments) -> tuple[bool, str]:
            return sh(BIN / "cmm", *arguments, "--runs", f"{folder}/runs")

        grid = ["batch", "-q", "-p", "datasets=digits", "-p", "shots=[1]"]
        grid += ["-p", "methods=zero-shot,cmm", "-p", "split=methods"]
        steps = [cmm(*grid, "-p", f"seeds={seeds}") for seeds in ("[1]", "[1]", "[1,2]")]
        steps += [cmm("report"), cmm("ledger", f"{folder}/ledger.csv")]
        output = "\n".join(text for _, text in steps)
        if not all(ok for ok, _ in steps):
            return False, output
        counts = [text.count("rows, ") for _, text in steps[:3]]
        page = Path(folder, "runs/report/report.html").read_text(encoding="utf-8")
        rows = Path(folder, "ledger.csv").read_text(encoding="utf-8").splitlines()
        good = counts == [2, 0, 2] and len(rows) == 5 and "Table 9" in page and 'src="http' not in page
        return good, f"runs {counts}, {len(rows)} lines\n{output}"


EXAMPLE = """
import sys
for tool in ("nbdev", "fastcore", "execnb", "IPython", "matplotlib", "papermill", "umap"):
    sys.modules[tool] = None
import pathlib
import cmm_nb
assert pathlib.Path(cmm_nb.__file__).is_relative_to(sys.argv[1]), cmm_nb.__file__
assert not {"torch", "numpy", "sklearn"} & set(sys.modules), "importing the package alone imports nothing heavy"
assert {"fit_method", "METHODS", "load_pack", "gap_report", "CMMClassifier"} <= set(dir(cmm_nb))
from cmm_nb import CMMClassifier, evaluate, fit_many, load_encoder, load_features, pack_task
from cmm_nb.runs.jobs import grid_path
from cmm_nb.runs.notebooks import notebook_path
print(notebook_path("run"), grid_path("offline"))
pack = load_features("digits", load_encoder(), folder=sys.argv[1] + "/cache")
task, split = pack_task(pack, 4, 1)
images, labels = pack.image[split.test], pack.label[split.test]
for name, settings in {"zero-shot": {}, "cmm-paper": dict(iterations=50)}.items():
    (fitted,) = fit_many(name, [task], **settings)
    print(name, evaluate(fitted.logits(images), labels)["accuracy"])
clf = CMMClassifier(templates="digits")
clf.fit(pack.image[split.train], pack.label[split.train], text_features=pack.text)
assert CMMClassifier.load(clf.save(sys.argv[1] + "/d.cmm")).score(images, labels) > 0.7
"""


def wheel() -> tuple[bool, str]:
    "sdist -> wheel -> installed elsewhere: works there, without the development and plotting packages."
    with tempfile.TemporaryDirectory() as folder:
        folder = str(Path(folder).resolve())
        ok, output = sh(sys.executable, "-m", "build", "--outdir", f"{folder}/dist")
        if not ok:
            return ok, output
        (built,) = Path(folder, "dist").glob("*.whl")
        site = f"{folder}/site"
        ok, output = sh(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, built)
        if not ok:
            return ok, output
        return sh(sys.executable, "-c", EXAMPLE, folder, env=ENV | {"PYTHONPATH": site}, cwd=folder)


def longest_first(path: Path) -> tuple[int, Path]:
    name = path.stem.lstrip("0123456789_")
    return LONGEST.index(name) if name in LONGEST else len(LONGEST), path


def main() -> None:
    os.environ.update(ENV)
    if SERVER:
        FRESH.set_forkserver_preload(HEAVY)
    check("generated files are in sync", in_sync)
    check("layout, lint and density", laid_out)
    check("imports go down the ladder", ladder)
    small = json.loads((ROOT / "tools" / "studies.json").read_text())
    jobs = {
        "wheel from the sdist, installed elsewhere": wheel,
        "sixty cases of hostile input": lambda: sh(sys.executable, "tools/fuzz.py", "0", "60 cases"),
        "every command of README.md, on stand-ins": lambda: sh(sys.executable, "tools/commands.py"),
        "the site, and where its links lead": lambda: sh(sys.executable, "tools/docs.py"),
        "types of the package (mypy)": lambda: sh(sys.executable, "-m", "mypy"),
        "main job through papermill": main_job,
        "a grid, resumed and extended, and its report": grid_and_report,
    }
    for path in sorted(style.notebooks(), key=longest_first):
        name, place = path.stem[3:], str(path.relative_to(ROOT))
        if path.parent.name != "studies":
            jobs[place] = lambda path=path: notebook(path)
        elif name in small:
            jobs[place] = lambda path=path, name=name: study(path, small[name])
    with ThreadPoolExecutor(2) as pool:  # two at a time: each keeps to one core
        runs = {name: pool.submit(timed, job) for name, job in jobs.items()}
        for name, run in runs.items():
            report(name, *run.result())
    failed = results.count(False)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    # what a shell starts in the background ignores Ctrl-C, and so would the servers and batches that are ended by it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
