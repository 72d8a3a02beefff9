"""How dense the code is, and whether imports go down the ladder: tools/style.py [PATH ...] (default: the package).

Medians and 90th percentiles are over functions; "after a formatter" is `ruff format` at 100 columns."""

import ast
import json
import re
import statistics
import subprocess
import sys
import tokenize
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUFF = Path(sys.executable).parent / "ruff"
LADDER = ["", "data", "clip", "model", "baselines", "gap", "runs", "use"]  # "": the ground, all may import it
MOST_NODES, MOST_LINES = 13, 30  # AST nodes a line in the median function; lines of nine functions in ten
LONGEST_CELL, LARGEST_STUDY = 40, 300_000  # lines, bytes


def package_files(folder: Path = ROOT / "cmm_nb") -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if p.name != "_modidx.py")


def notebooks() -> list[Path]:
    "All notebooks in the order of their numbers, the index last."
    numbered = (ROOT / "nbs").rglob("[0-9][0-9]_*.ipynb")
    found = [p for p in numbered if ".ipynb_checkpoints" not in p.parts]
    return sorted(found, key=lambda p: p.stem) + [ROOT / "nbs" / "index.ipynb"]


def formatted(text: str) -> str:
    "`text` as the formatter lays it out at 100 columns."
    command = [RUFF, "format", "--isolated", "--line-length", "100", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def length(function: ast.FunctionDef) -> int:
    "Lines of a function, its decorators included."
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return function.end_lineno - first + 1


def bindings(tree: ast.AST) -> list[str]:
    "Every name that is bound: arguments, and targets of assignments, loops and comprehensions."
    stores = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [n.id for n in stores] + [n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)]


def semicolons(text: str) -> int:
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    return sum(token.type == tokenize.OP and token.string == ";" for token in tokens)


def p90(values: list[int]) -> int:
    return sorted(values)[int(0.9 * (len(values) - 1))]


def measure(paths: list[Path]) -> dict[str, float]:
    "The figures of the table for some Python files."
    written, after, nodes, names = [], [], [], []
    n_lines = n_long = n_semicolons = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        written += map(length, functions(tree))
        after += map(length, functions(ast.parse(formatted(text))))
        nodes += [sum(1 for _ in ast.walk(f)) / length(f) for f in functions(tree)]
        names += bindings(tree)
        lines = text.splitlines()
        n_lines += len(lines)
        n_long += sum(len(line) > 120 for line in lines)
        n_semicolons += semicolons(text)
    return {
        "lines": n_lines,
        "functions": len(written),
        "lines of a function, median": statistics.median(written),
        "lines of a function, p90": p90(written),
        "after a formatter, median": statistics.median(after),
        "after a formatter, p90": p90(after),
        "AST nodes a line, median function": round(statistics.median(nodes), 1),
        "semicolons per 1,000 lines": round(1000 * n_semicolons / n_lines, 1),
        "lines over 120 columns, %": round(100 * n_long / n_lines, 1),
        "one-letter names among bindings, %": round(100 * sum(len(n) == 1 for n in names) / len(names)),
    }


def faults(figures: dict[str, float]) -> list[str]:
    "What is denser than the project allows."
    nodes, lines = figures["AST nodes a line, median function"], figures["after a formatter, p90"]
    out = []
    if nodes > MOST_NODES:
        out.append(f"{nodes} AST nodes a line in the median function: at most {MOST_NODES}")
    if lines > MOST_LINES:
        out.append(f"a tenth of the functions is longer than {lines} lines: at most {MOST_LINES}")
    return out


def study_faults() -> list[str]:
    "Studies with a cell that is longer than a screen, too large to be looked at on the web, or without output."
    out = []
    for path in (path for path in notebooks() if path.parent.name == "studies"):
        cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
        longest = max(len("".join(c["source"]).splitlines()) for c in cells)
        if longest > LONGEST_CELL:
            out.append(f"{path.stem} has a cell of {longest} lines: at most {LONGEST_CELL}")
        if path.stat().st_size > LARGEST_STUDY:
            out.append(f"{path.stem} has {path.stat().st_size:,d} bytes: at most {LARGEST_STUDY:,d}")
        if not any(c["outputs"] for c in cells):
            out.append(f"{path.stem} has no output: tools/execute.py {path.stem}")
    return out


def imported(text: str) -> list[str]:
    "Modules of this package that some code imports, without the package's name: ['data.splits', ...]."
    return re.findall(r"^\s*(?:from|import)\s+cmm_nb\.([\w.]+)", text, re.M)


def upward_imports() -> list[str]:
    "Imports that climb: from a part to a later part, or from a notebook to one with a higher number."
    number, uses = {}, {}
    for path in notebooks()[:-1]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        module = re.search(r"^#\|\s*default_exp\s+(\S+)", code, re.M)
        if module:
            number[module[1]] = path.stem[:2]
        uses[path] = imported(code)
    out = []
    for path, modules in uses.items():
        part = "" if path.parent.name == "nbs" else path.parent.name
        for module in modules:
            if number.get(module, "00") > path.stem[:2]:
                out.append(f"{path.stem} imports {module} of notebook {number[module]}")
            above = module.rpartition(".")[0]
            if part in LADDER and LADDER.index(above) > LADDER.index(part):
                out.append(f"{path.stem} of the part {part or 'ground'} imports {module} of a later part")
    return out


if __name__ == "__main__":
    figures = measure([Path(a) for a in sys.argv[1:]] or package_files())
    for name, value in figures.items():
        print(f"{name:38} {value}")
    print(*faults(figures), sep="\n")
    sys.exit(bool(faults(figures)))
