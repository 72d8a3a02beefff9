"""All checks of the project; the last line counts what ran: 'N passed, N failed'."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ENV = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
results: list[bool] = []


def sh(*command, env=ENV, cwd=ROOT) -> tuple[bool, str]:
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


def check(name: str, run) -> None:
    start = time.time()
    try:
        ok, output = run()
    except Exception as e:
        ok, output = False, f"{type(e).__name__}: {e}"
    report(name, ok, output, time.time() - start)


def in_sync() -> tuple[bool, str]:
    "Clean, export and README leave no change behind."
    if not (ROOT / ".git").exists():
        return True, "no git checkout: nothing to compare with"
    paths = ["nbs", "cmm_nb", "README.md"]

    def state():
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


def notebook(path: Path) -> tuple[bool, str]:
    ok, output = sh(BIN / "nbdev_test", "--path", path, "--n_workers", "0")
    return ok and "Success." in output, output


def main_job() -> tuple[bool, str]:
    "The parameterised notebook through papermill, and what it leaves."
    with tempfile.TemporaryDirectory(prefix="main job ") as d:
        ok, output = sh(
            BIN / "cmm", "batch", "--quiet", "--runs", d, "-p", "shots=[1,4]", "-p", "seeds=[1,2]"
        )
        if not ok:
            return False, output
        out = Path(d) / "digits" / "embedded"
        rows = json.loads((out / "result.json").read_text())
        files = {f.name for f in out.iterdir()}
        wanted = {
            "run.ipynb",
            "result.json",
            "report.html",
            "accuracy.png",
            "accuracy.svg",
            "space.png",
            "space.svg",
        }
        good = wanted <= files and len(rows) == 20 and all(0 < r["accuracy"] <= 1 for r in rows)
        return good, f"{len(rows)} rows, files {sorted(files)}\n{output}"


def grid_and_report() -> tuple[bool, str]:
    "A grid from the command line, again (nothing is left to do), extended, and the report on its ledger."
    with tempfile.TemporaryDirectory(prefix="a grid ") as d:

        def cmm(*a):
            return sh(BIN / "cmm", *a, "--runs", f"{d}/runs")

        grid = [
            "batch",
            "-q",
            "-p",
            "datasets=digits",
            "-p",
            "shots=[1]",
            "-p",
            "methods=zero-shot,cmm",
            "-p",
            "split=methods",
        ]
        steps = [
            cmm(*grid, "-p", "seeds=[1]"),
            cmm(*grid, "-p", "seeds=[1]"),
            cmm(*grid, "-p", "seeds=[1,2]"),
            cmm("report"),
            cmm("ledger", f"{d}/ledger.csv"),
        ]
        output = "\n".join(o for _, o in steps)
        if not all(ok for ok, _ in steps):
            return False, output
        counts = [o.count("rows, ") for _, o in steps[:3]]
        page, rows = (
            Path(d, "runs/report/report.html").read_text(encoding="utf-8"),
            Path(d, "ledger.csv").read_text(encoding="utf-8").splitlines(),
        )
        return (
            counts == [2, 0, 2] and len(rows) == 7 and "Table 9" in page and 'src="http' not in page,
            f"runs {counts}, {len(rows)} lines\n{output}",
        )


EXAMPLE = """
import sys
for tool in ("nbdev", "fastcore", "execnb", "IPython", "matplotlib", "papermill", "umap"): sys.modules[tool] = None
import cmm_nb, pathlib; assert pathlib.Path(cmm_nb.__file__).is_relative_to(sys.argv[1]), cmm_nb.__file__
from cmm_nb.encoders import load_encoder
from cmm_nb.features import load_features
from cmm_nb.methods import fit_many
from cmm_nb.metrics import evaluate
from cmm_nb.tasks import pack_task
from cmm_nb.batch import notebook_path; print(notebook_path())
from cmm_nb import CMMClassifier
from cmm_nb.grids import grid_path; print(grid_path("offline"))
pack = load_features("digits", load_encoder(), folder=sys.argv[1] + "/cache"); task, split = pack_task(pack, 4, 1)
for m in ("zero-shot", "cmm-paper"):
    f, = fit_many(m, [task], **({"iterations": 50} if m == "cmm-paper" else {}))
    print(m, evaluate(f.logits(pack.image[split.test]), pack.label[split.test])["accuracy"])
clf = CMMClassifier(templates="digits").fit(pack.image[split.train], pack.label[split.train], text_features=pack.text)
assert CMMClassifier.load(clf.save(sys.argv[1] + "/d.cmm")).score(pack.image[split.test], pack.label[split.test]) > .7
"""


def wheel() -> tuple[bool, str]:
    "sdist -> wheel -> installed elsewhere: works there, without the development and plotting packages."
    with tempfile.TemporaryDirectory() as d:
        d = str(Path(d).resolve())
        ok, output = sh(sys.executable, "-m", "build", "--outdir", f"{d}/dist")
        if not ok:
            return ok, output
        (built,) = Path(d, "dist").glob("*.whl")
        ok, output = sh(
            sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", f"{d}/site", built
        )
        if not ok:
            return ok, output
        return sh(sys.executable, "-c", EXAMPLE, d, env=ENV | {"PYTHONPATH": f"{d}/site"}, cwd=d)


if __name__ == "__main__":
    check("generated files are in sync", in_sync)
    notebooks = sorted((ROOT / "nbs").glob("[0-3]*.ipynb")) + [ROOT / "nbs" / "index.ipynb"]
    with ThreadPoolExecutor(2) as pool:

        def timed(p):
            t = time.time()
            return p, *notebook(p), time.time() - t

        for p, ok, output, seconds in pool.map(timed, notebooks):
            report(f"nbs/{p.name}", ok, output, seconds)
    check("types of the package (mypy)", lambda: sh(sys.executable, "-m", "mypy"))
    check("main job through papermill", main_job)
    check("a grid, resumed and extended, and its report", grid_and_report)
    check("wheel from the sdist, installed elsewhere", wheel)
    failed = results.count(False)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    sys.exit(bool(failed))
