"""Every notebook as an HTML page in _docs/, the API reference from the package's docstrings, and an index of both."""

import importlib
import inspect
import json
from html import escape
from pathlib import Path

from cmm_nb.batch import to_html

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "_docs"
STYLE = "<style>body{max-width:60em;margin:2em auto;padding:0 1em;font-family:sans-serif}code,pre{background:#f4f4f4}pre{padding:.5em;white-space:pre-wrap}h3{margin-bottom:0}p{margin:.3em 0 1em}</style>"


def title(notebook: Path) -> tuple[str, str]:
    lines = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()
    return lines[0].lstrip("# "), next((l.lstrip("> ") for l in lines if l.startswith(">")), "")


def module_of(notebook: Path) -> str | None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = [l for c in cells if c["cell_type"] == "code" for l in "".join(c["source"]).splitlines()]
    return next((l.split()[-1] for l in lines if l.startswith("#| default_exp ")), None)


def entry(name: str, o, level: int = 3) -> str:
    "A heading, the signature and the docstring of one function or class, and of a class's public methods."
    if inspect.isfunction(o) or inspect.isclass(o) or inspect.ismethod(o):
        try:
            signature = str(inspect.signature(o))
        except (TypeError, ValueError):
            signature = ""
        doc = inspect.getdoc(o) or "" if o.__doc__ else ""
        text = f"<h{level} id='{name}'>{name}</h{level}><pre>{escape(name.split('.')[-1] + signature)}</pre><p>{escape(doc).replace(chr(10) * 2, '<p>').replace('`', '')}</p>"
    else:
        return f"<h{level} id='{name}'>{name}</h{level}><p><code>{type(o).__name__}</code></p>"
    if inspect.isclass(o):
        own = [c for c in o.__mro__ if c.__module__.startswith("cmm_nb")]
        methods = {
            m: getattr(o, m)
            for c in own
            for m, f in vars(c).items()
            if not m.startswith("_") and (inspect.isfunction(f) or isinstance(f, classmethod))
        }
        text += "".join(entry(f"{name.split('.')[-1]}.{m}", f, 4) for m, f in sorted(methods.items()))
    return text


def reference(modules: list[tuple[str, str]]) -> tuple[str, int]:
    "The page, and how many public names it holds."
    body, count = [], 0
    for name, subtitle in modules:
        m = importlib.import_module(f"cmm_nb.{name}")
        public = [n for n in m.__all__ if not n.startswith("_")]
        count += len(public)
        body.append(
            f"<h2 id='{name}'>cmm_nb.{name}</h2><p>{escape(subtitle)}</p>"
            + "".join(entry(n, getattr(m, n)) for n in public)
        )
    contents = " | ".join(f"<a href='#{n}'>{n}</a>" for n, _ in modules)
    return (
        f"<!doctype html><meta charset=utf-8><title>cmm_nb: reference</title>{STYLE}<body><h1>Reference</h1><p>{contents}</p>"
        + "".join(body),
        count,
    )


def main() -> None:
    notebooks = [ROOT / "nbs" / "index.ipynb"] + sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
    for n in notebooks:
        to_html(n, OUT / f"{n.stem if n.stem != 'index' else 'readme'}.html", code=True)
    page, count = reference([(m, title(n)[1]) for n in notebooks if (m := module_of(n))])
    (OUT / "reference.html").write_text(page, encoding="utf-8")
    rows = "".join(
        "<li><a href='{}.html'>{}</a>: {}</li>".format(
            n.stem if n.stem != "index" else "readme", *map(escape, title(n))
        )
        for n in notebooks
    )
    (OUT / "index.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>cmm_nb</title>{STYLE}<body><h1>cmm_nb</h1><p><a href='reference.html'>Reference: all {count} public names</a></p><ul>{rows}</ul>",
        encoding="utf-8",
    )
    print(f"{len(notebooks)} pages and a reference of {count} names: {OUT / 'index.html'}")


if __name__ == "__main__":
    main()
