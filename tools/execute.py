"""Execute teaching notebooks in place, in order: tools/execute.py [NAME ...] (default: all but the studies).

NAME is a notebook's stem, with or without its number. Cells with a test flag of settings.ini (slow, weights,
cuda, notest) are left out and keep the output they have, and so do cells that only say that
they skip for want of optional data."""

import os
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from style import notebooks

ROOT = Path(__file__).resolve().parent.parent


def flags() -> set[str]:
    settings = ConfigParser(delimiters=["="])
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    return set(settings["DEFAULT"]["tst_flags"].split())


class Client(NotebookClient):
    "Runs a notebook, except for cells that carry one of `skip`."

    skip = flags()

    async def async_execute_cell(self, cell, *args, **kwargs):
        directives = set(re.findall(r"^#\|\s*([\w-]+)", cell.source, re.M))
        if directives & self.skip:
            return cell
        kept = cell.get("outputs", [])
        cell = await super().async_execute_cell(cell, *args, **kwargs)
        said = [line for output in cell.get("outputs", []) for line in output.get("text", "?").splitlines()]
        if kept and said and all(line.startswith("Skipped: ") for line in said):
            cell.outputs = kept
        return cell


def execute(path: Path) -> None:
    nb = nbformat.read(path, as_version=4)
    Client(
        nb, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    nb, _ = CoalesceStreamsPreprocessor().preprocess(nb, {})
    nbformat.write(nb, path)


def wanted(names: list[str]) -> list[Path]:
    lessons = [p for p in notebooks() if p.parent.name != "studies"]
    return [p for p in notebooks() if {p.stem, p.stem[3:]} & set(names)] if names else lessons


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for notebook in wanted(sys.argv[1:]):
        print(notebook.name, flush=True)
        execute(notebook)
