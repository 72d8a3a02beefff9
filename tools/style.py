"""How dense the code is: tools/style.py [PATH ...] (default: the package) prints one table.

Medians and 90th percentiles are over functions; "after a formatter" is `ruff format` at 100 columns."""

import ast
import statistics
import subprocess
import sys
import tokenize
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUFF = Path(sys.executable).parent / "ruff"
LIMITS = dict(nodes=13, p90=30)


def formatted(text: str) -> str:
    "`text` as the formatter lays it out at 100 columns."
    command = [RUFF, "format", "--isolated", "--line-length", "100", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def length(function: ast.FunctionDef) -> int:
    return function.end_lineno - function.lineno + 1


def bindings(tree: ast.AST) -> list[str]:
    "Every name that is bound: arguments, and targets of assignments, loops and comprehensions."
    names = [
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return names + [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]


def semicolons(text: str) -> int:
    return sum(
        token.type == tokenize.OP and token.string == ";"
        for token in tokenize.generate_tokens(StringIO(text).readline)
    )


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


def package_files(folder: Path = ROOT / "cmm_nb") -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if p.name != "_modidx.py")


def faults(figures: dict[str, float]) -> list[str]:
    "What is denser than the project allows."
    nodes, lines = figures["AST nodes a line, median function"], figures["after a formatter, p90"]
    out = []
    if nodes > LIMITS["nodes"]:
        out.append(f"{nodes} AST nodes a line in the median function: at most {LIMITS['nodes']}")
    if lines > LIMITS["p90"]:
        out.append(f"a tenth of the functions is longer than {lines} lines: at most {LIMITS['p90']}")
    return out


if __name__ == "__main__":
    figures = measure([Path(a) for a in sys.argv[1:]] or package_files())
    for name, value in figures.items():
        print(f"{name:38} {value}")
    print(*faults(figures), sep="\n")
    sys.exit(bool(faults(figures)))
