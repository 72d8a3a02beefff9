"""README.md from nbs/index.ipynb: hidden cells left out, pictures beside the notebooks."""

import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import RegexRemovePreprocessor, TagRemovePreprocessor

ROOT = Path(__file__).resolve().parent.parent


def build() -> None:
    nb = nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4)
    nb.metadata.setdefault("language_info", {})["name"] = "python"
    for cell in nb.cells:  # directives other than hide are no text for a reader
        if re.search(r"^#\|\s*echo:\s*false", cell.source, re.M):
            cell.metadata["tags"] = ["no-source"]
        if not re.match(r"#\|\s*hide", cell.source):
            cell.source = re.sub(r"^#\|.*\n", "", cell.source)
    exporter = MarkdownExporter()
    exporter.register_preprocessor(RegexRemovePreprocessor(patterns=[r"#\|\s*hide"]), enabled=True)
    exporter.register_preprocessor(TagRemovePreprocessor(remove_input_tags={"no-source"}), enabled=True)
    text, resources = exporter.from_notebook_node(nb)
    images = ROOT / "nbs" / "images"
    images.mkdir(exist_ok=True)
    for old in images.glob("index_*.png"):
        old.unlink()
    for name, data in resources.get("outputs", {}).items():
        new = name.replace("output_", "index_")
        (images / new).write_bytes(data)
        text = text.replace(f"]({name})", f"](nbs/images/{new})")
    text = re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}", "\n\n", text)).strip()
    (ROOT / "README.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    build()
