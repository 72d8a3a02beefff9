"""The course as a site in _docs/site/: lessons in the order of docs/path.json, then reference and the package."""

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import course
import nbformat
from readme import index, without_directives
from sphinx.cmd.build import build_main

from cmm_nb import METHODS, CMMClassifier

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "_docs" / "site"
PAGES = ROOT / "_docs" / "pages"  # what Sphinx reads: notebooks as readers see them, and pages made here
BY_HAND = ["docs/notation.md", "docs/glossary.md", "CHANGELOG.md", "CONTRIBUTING.md", "data/README.md"]
SKIP = "skip on a first reading"
ABOUT_METHODS = """# All methods

Each is fitted by its name, `fit_method("gda", ...)`, and can stand in `methods` of a run. *Needs*: most learn from
features; those that need pictures train through the encoder, those that need a pool learn from pictures without
labels beside the labelled ones. Labelled images beside the support set are one switch for all: with
`validation="judge"` (the papers' protocol) they choose settings and are not trained on, with `validation="train"`
they are trained on, and folds choose.

| name | what it is | source | needs |
|---|---|---|---|
"""


def toctree(entries: list[str], *options: str) -> str:
    return "\n".join(["```{toctree}", *(f":{option}" for option in options), "", *entries, "```\n"])


def lessons(known: dict[str, course.Page], steps: list[dict]) -> dict[str, str]:
    "Every notebook, with a line below its title: its step, and the reference of its module."
    out, step_of = {}, {}
    for number, step in enumerate(steps, 1):
        step_of |= {page.name: f"Step {number}: {step['title']}" for page in step["lessons"]}
    for page in known.values():
        nb = nbformat.read(page.path, as_version=4)
        nb.cells = without_directives(nb.cells)
        line = [step_of.get(page.name, "" if SKIP in nb.cells[0].source else f"Reference: {SKIP}")]
        if page.module:
            line.append(f"module [cmm_nb.{page.module}](/api/{page.module}.rst)")
        head = "\n\n".join(filter(None, [page.heading, page.subtitle and f"> {page.subtitle}"]))
        rest = nb.cells[0].source.removeprefix(head)
        nb.cells[0].source = f"{head}\n\n{' · '.join(filter(None, line))}\n\n{rest}"
        out[f"nbs/{page.place}"] = nbformat.writes(nb)
    return out


def in_steps(cls: type) -> str:
    "The reference of a class that is built in steps, private bases in its module, with the methods in their order."
    steps = [base for base in reversed(cls.__mro__) if base.__module__ == cls.__module__]
    names = dict.fromkeys(name for step in steps for name in vars(step) if not name.startswith(("_", "set_")))
    methods = [f"   .. automethod:: {name}\n" for name in names]
    return "\n".join([f".. autoclass:: {cls.__module__}.{cls.__name__}\n", *methods])


def api(known: dict[str, course.Page]) -> dict[str, str]:
    "A page for every module, and one for every part."
    out, parts = {}, []
    for part, says in course.PARTS.items():
        modules = {p.module: p for p in known.values() if p.module and p.part == part}
        for module, page in modules.items():
            title, notebook = f"cmm_nb.{module}", page.place.removesuffix(".ipynb")
            head = f"{title}\n{'=' * len(title)}\n\nNotebook: :doc:`/nbs/{notebook}`\n\n"
            members = "   :members:\n" if module != "use.classifier" else f"\n{in_steps(CMMClassifier)}"
            out[f"api/{module}.rst"] = f"{head}.. automodule:: {title}\n{members}"
        if modules:
            name = part or "ground"
            parts.append(f"part_{name}")
            text = f"# {name}\n\n{says.capitalize()}.\n\n{toctree(list(modules), 'maxdepth: 1')}"
            out[f"api/part_{name}.md"] = text
    head = "# The package\n\nEvery public name, by parts and modules.\n\n"
    return out | {"api/index.md": head + toctree(parts, "maxdepth: 2")}


def tables(known: dict[str, course.Page]) -> dict[str, str]:
    "Two pages of tables: all notebooks, all methods."
    rows = ["# All notebooks", "", "| notebook | |", "|---|---|"]
    for part, says in course.PARTS.items():
        rows.append(f"| **{part or 'ground'}** | **{says}** |")
        rows += [f"| [{p.title}](nbs/{p.place}) | {p.subtitle} |" for p in known.values() if p.part == part]
    methods = [f"| `{m.name}` | {m.summary} | {m.source} | {m.needs} |" for m in METHODS.values()]
    return {"notebooks.md": "\n".join(rows) + "\n", "methods.md": ABOUT_METHODS + "\n".join(methods) + "\n"}


def home(known: dict[str, course.Page], steps: list[dict]) -> dict[str, str]:
    "The first page with the navigation: the steps, what is looked up, and notebooks for reference, by parts."
    out, trees = {}, []
    for number, step in enumerate(steps, 1):
        caption = f"caption: {number} {step['title']} ({course.duration(step['minutes'])})"
        trees.append(toctree([f"nbs/{page.place}" for page in step["lessons"]], "hidden:", caption))
    read = {page.name for step in steps for page in step["lessons"]}
    for part, says in course.PARTS.items():
        entries = [f"/nbs/{p.place}" for p in known.values() if p.part == part and p.name not in read]
        if entries:
            head = (
                f"# Reference: {part or 'ground'}\n\n{says.capitalize()}. Skip this on a first reading.\n\n"
            )
            out[f"reference/{part or 'ground'}.md"] = head + toctree(entries, "maxdepth: 1")
    by_hand = [place.removesuffix(".md") for place in BY_HAND]
    look_up = toctree(
        [*by_hand[:2], "methods", "notebooks", "api/index", *by_hand[2:]], "hidden:", "caption: Look it up"
    )
    rest = toctree(
        [place.removesuffix(".md") for place in out], "hidden:", "caption: Skip on a first reading"
    )
    nb = index()
    nb.cells.append(nbformat.v4.new_markdown_cell("\n".join([*trees, look_up, rest]), id="contents"))
    return out | {"index.ipynb": nbformat.writes(nb)}


def prepare() -> None:
    "Write the pages for Sphinx. One that is as it was keeps its time, and is not read again."
    known = course.pages()
    steps = course.steps(known)
    pages = {place: (ROOT / place).read_text(encoding="utf-8") for place in BY_HAND}
    pages |= lessons(known, steps) | api(known) | tables(known) | home(known, steps)
    for old in PAGES.rglob("*.*"):
        if old.suffix in {".md", ".rst", ".ipynb"} and old.relative_to(PAGES).as_posix() not in pages:
            old.unlink()
    for place, text in pages.items():
        file = PAGES / place
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


class Links(HTMLParser):
    "What a page links to, what it loads, and the names in it that can be linked to."

    def __init__(self, text: str):
        super().__init__()
        self.links, self.names = [], {""}
        self.loads = re.findall(r"(?:url\(|@import )[\"']?(https?:[^\"')]+)", text)
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.names |= {values.get("id"), values.get("name")}
        loaded = values.get("src") or (values.get("href") if tag == "link" else None)
        if loaded:
            self.loads.append(loaded)
        elif tag == "a" and values.get("href"):
            self.links.append(values["href"])


def faults(folder: Path) -> list[str]:
    "Links of a site that lead nowhere, and whatever a page would load from a network."
    folder = folder.resolve()
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    out = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        for target in page.loads:
            if urlparse(target).netloc:
                out.append(f"{name} loads {target}")
        for target in page.links + page.loads:
            parts = urlparse(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.exists() or (file in pages and unquote(parts.fragment) not in pages[file].names):
                out.append(f"{name} links to {target}, which is not there")
    return out


def main() -> None:
    prepare()
    shutil.rmtree(OUT, ignore_errors=True)
    options = ["-b", "html", "-n", "-W", "--keep-going", "-q", "-j", "auto", "-c", str(ROOT / "docs")]
    code = build_main([*options, "-d", str(OUT.parent / "read"), str(PAGES), str(OUT)])
    wrong = [] if code else faults(OUT)
    if code or wrong:
        print(*wrong, sep="\n")
        sys.exit("The site has faults: see above.")
    print(f"{len(list(OUT.rglob('*.html')))} pages: {OUT / 'index.html'}")


if __name__ == "__main__":
    main()
