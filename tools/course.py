"""The course: its steps in the order of docs/path.json, and what a notebook says about itself."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from readme import HIDDEN
from style import notebooks

ROOT = Path(__file__).resolve().parent.parent
WORDS, LINES = 200, 20  # read in a minute: words of prose, or lines of code
PARTS = {
    "": "the ground",
    "data": "pictures, and who may look at which",
    "clip": "two towers, one space",
    "model": "the mapping, its losses, its training",
    "baselines": "what it is compared with",
    "gap": "the modality gap, measured, closed, explained",
    "runs": "from one notebook to a table of a thousand runs",
    "use": "your own pictures",
    "studies": "notebooks with parameters",
}


@dataclass
class Page:
    "A notebook as its readers meet it."

    path: Path

    def __post_init__(self):
        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        self.cells = [(c["cell_type"], "".join(c["source"])) for c in cells]
        head = self.cells[0][1].splitlines()
        self.heading = head[0]
        self.title = head[0].lstrip("# ")
        self.subtitle = next((line[2:] for line in head if line.startswith("> ")), "")
        self.name = self.path.stem.lstrip("0123456789_")
        self.place = self.path.relative_to(ROOT / "nbs").as_posix()
        self.part = self.place.rpartition("/")[0]
        found = re.search(r"^#\|\s*default_exp\s+(\S+)", "\n".join(text for _, text in self.cells), re.M)
        self.module = found and found[1]

    @property
    def minutes(self) -> float:
        "Reading time: as the notebook says, else by the words and by the lines of code that are shown."
        head = "\n".join(
            text for _, text in self.cells[:2]
        )  # a study's second cell, which runs hide, says it
        said = re.search(r"Time: about (\d+) minutes", head)
        if said:
            return int(said[1])
        words = sum(len(text.split()) for kind, text in self.cells if kind == "markdown")
        code = [text for kind, text in self.cells if kind == "code" and not HIDDEN.search(text)]
        lines = [line for text in code for line in text.splitlines() if line.strip() and line[:2] != "#|"]
        return words / WORDS + len(lines) / LINES


def pages() -> dict[str, Page]:
    "All numbered notebooks by name, in the order of their numbers."
    found = [Page(path) for path in notebooks() if path.stem != "index"]
    return {page.name: page for page in found}


def steps(known: dict[str, Page]) -> list[dict]:
    "The learning path: title, says, lessons (pages) and minutes of every step, and last what is left for reference."
    path = json.loads((ROOT / "docs" / "path.json").read_text(encoding="utf-8"))
    named = [name for step in path for name in step["lessons"]]
    wrong = sorted({name for name in named if name not in known or named.count(name) > 1})
    if wrong:
        raise ValueError(f"docs/path.json: {', '.join(wrong)} must each be one notebook, named once.")
    for step in path:
        step["lessons"] = [known[name] for name in step["lessons"]]
        step["minutes"] = 5 * max(1, round(sum(page.minutes for page in step["lessons"]) / 5))
    return path


def duration(minutes: float) -> str:
    "'10 min', '2 h', '2½ h'."
    if minutes < 60:
        return f"{minutes} min"
    halves = round(minutes / 30)
    return f"{halves // 2}{'½' * (halves % 2)} h"
