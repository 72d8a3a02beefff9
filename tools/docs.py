"""Every notebook as an HTML page in _docs/, with an index."""
import json
from pathlib import Path

from cmm_nb.batch import to_html

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT/"_docs"


def title(notebook: Path) -> tuple[str, str]:
    lines = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()
    return lines[0].lstrip("# "), next((l.lstrip("> ") for l in lines if l.startswith(">")), "")


def main() -> None:
    notebooks = [ROOT/"nbs"/"index.ipynb"] + sorted((ROOT/"nbs").glob("[0-9]*.ipynb"))
    for n in notebooks: to_html(n, OUT/f"{n.stem if n.stem != 'index' else 'readme'}.html", code=True)
    rows = "".join("<li><a href='{}.html'>{}</a>: {}</li>".format(n.stem if n.stem != "index" else "readme", *title(n)) for n in notebooks)
    (OUT/"index.html").write_text(f"<!doctype html><meta charset=utf-8><title>cmm_nb</title><body style='max-width:50em;margin:2em auto;font-family:sans-serif'>"
                                  f"<h1>cmm_nb</h1><ul>{rows}</ul>", encoding="utf-8")
    print(f"{len(notebooks)} pages: {OUT/'index.html'}")


if __name__ == "__main__": main()
