"""README.md from nbs/index.ipynb: hidden cells left out, pictures beside the notebooks."""

import posixpath
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = re.compile(r"^#\|\s*(hide|default_exp)\b", re.M)


def without_directives(cells: list) -> list:
    "The cells that readers see, without `#|` lines; code that is not to be shown carries the tag remove-input."
    shown = []
    for cell in cells:
        if cell.cell_type == "code":
            if HIDDEN.search(cell.source):
                continue
            if re.search(r"^#\|\s*echo:\s*false", cell.source, re.M):
                cell.metadata["tags"] = ["remove-input"]
            cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.M).strip("\n")
            if not cell.source:
                continue
        shown.append(cell)
    return shown


def from_root(text: str) -> str:
    "Links of a page in nbs/ as links of a page in the folder above."

    def moved(match: re.Match) -> str:
        return f"]({posixpath.normpath(posixpath.join('nbs', match[1]))})"

    return re.sub(r"\]\((?!\w+:|#)([^)\s]+)\)", moved, text)


def index() -> nbformat.NotebookNode:
    "The first page, with links as from the project's folder."
    nb = nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4)
    nb.cells = without_directives(nb.cells)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = from_root(cell.source)
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = from_root(output.data["text/markdown"])
    return nb


def build() -> None:
    nb = index()
    nb.metadata.setdefault("language_info", {})["name"] = "python"
    exporter = MarkdownExporter()
    exporter.register_preprocessor(TagRemovePreprocessor(remove_input_tags={"remove-input"}), enabled=True)
    text, resources = exporter.from_notebook_node(nb)
    images = ROOT / "nbs" / "images"
    images.mkdir(exist_ok=True)
    for old in images.glob("index_*.png"):
        old.unlink()
    for name, data in resources.get("outputs", {}).items():
        new = name.replace("output_", "index_")
        (images / new).write_bytes(data)
        text = text.replace(f"]({name})", f"](nbs/images/{new})")
    text = re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()
    (ROOT / "README.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    build()
