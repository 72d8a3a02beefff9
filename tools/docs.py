"""Every notebook as an HTML page in _docs/, the API reference beside them (pdoc), and an index of both."""

import json
from html import escape
from pathlib import Path

import pdoc
from style import notebooks

from cmm_nb.runs.notebooks import to_html

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "_docs"
STYLE = "<style>body{max-width:60em;margin:2em auto;padding:0 1em;font-family:sans-serif}</style>"


def title(notebook: Path) -> tuple[str, str]:
    "Title and subtitle of a notebook."
    first = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()
    subtitle = next((line.lstrip("> ") for line in first if line.startswith(">")), "")
    return first[0].lstrip("# "), subtitle


def page_name(notebook: Path) -> str:
    return "readme.html" if notebook.stem == "index" else f"{notebook.stem}.html"


def main() -> None:
    pages = notebooks()
    for notebook in pages:
        to_html(notebook, OUT / page_name(notebook), code=True)
    pdoc.render.configure(docformat="markdown", math=False, show_source=True)
    pdoc.pdoc("cmm_nb", output_directory=OUT / "reference")
    rows = []
    for notebook in pages:
        name, subtitle = map(escape, title(notebook))
        rows.append(f"<li><a href='{page_name(notebook)}'>{name}</a>: {subtitle}</li>")
    head = f"<!doctype html><meta charset=utf-8><title>cmm_nb</title>{STYLE}<body><h1>cmm_nb</h1>"
    reference = "<p><a href='reference/index.html'>Reference of the package</a></p>"
    (OUT / "index.html").write_text(f"{head}{reference}<ul>{''.join(rows)}</ul>", encoding="utf-8")
    print(f"{len(pages)} pages and a reference: {OUT / 'index.html'}")


if __name__ == "__main__":
    main()
