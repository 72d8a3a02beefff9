"""Execute notebooks in place, in order: tools/execute.py [NAME ...] (default: all).

NAME is a notebook's stem, with or without its number. Cells with a test flag of settings.ini (slow, weights,
cuda, notest) are left out and keep the output they have, and so do cells that only say that they skip for want of
optional data. A study runs with its default parameters in a folder of its own, without optional data; the report finds
the ledger of `cmm batch offline` there. A study whose output was made with other parameters, which stand in a cell of
it, keeps that output unless it is named."""

import base64
import copy
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from html import unescape
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from PIL import Image
from style import LARGEST_STUDY, notebooks

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


FIGURE = re.compile(
    r'<img src="data:image/png;base64,([^"]+)" width="(\d+)"[^>]*><figcaption>(.*?)</figcaption>', re.S
)
SIZES = ((900, 96), (720, 64), (560, 48), (440, 32))  # width in pixels and colours of pictures, tried in turn


def shrunk(png: str, width: int, colours: int) -> str:
    "A PNG picture (base64) at most `width` pixels wide, in few colours."
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    if width < image.width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    few = image.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def picture(png: str, text: str, width: int, colours: int):
    data = {"image/png": shrunk(png, width, colours), "text/plain": text}
    return nbformat.v4.new_output("display_data", data)


def still(output, width: int, colours: int) -> list:
    "An output as it is committed: small, without what a page folds away, pictures inside HTML on their own."
    data = output.get("data", {})
    if output.get("name") == "stderr":  # progress bars
        return []
    if "image/png" in data:
        return [picture(data["image/png"], data["text/plain"], width, colours)]
    if "text/html" not in data:
        return [output]
    page = re.sub(
        r'<a[^>]* href="#rows"[^>]*>(.*?)</a>', r"\1", data["text/html"]
    )  # rows that only a page has
    if page.startswith('<details class="fold"'):
        return []
    pictures = []
    for png, of_page, caption in FIGURE.findall(page):  # inside HTML a viewer on the web may drop them
        words = unescape(re.sub(r"<[^>]+>", "", caption))
        pictures.append(nbformat.v4.new_output("stream", text=f"{words}\n"))
        pictures.append(picture(png, words, min(width, int(of_page)), colours))
    return pictures or [nbformat.from_dict(output | dict(data=data | {"text/html": page}))]


def small(nb):
    "The notebook with outputs for all to see, as large as a study may be."
    for size in SIZES:
        found = copy.deepcopy(nb)
        for cell in (cell for cell in found.cells if cell.cell_type == "code"):
            cell.outputs = [one for output in cell.outputs for one in still(output, *size)]
        if len(nbformat.writes(found).encode()) < LARGEST_STUDY - 5000:
            break
    return found


def execute(path: Path, folder: Path | None = None, env: dict | None = None) -> None:
    "Execute a notebook in `folder` (default: its own) and write it back with what it shows."
    nb = nbformat.read(path, as_version=4)
    place = str(folder or path.parent)
    client = Client(nb, timeout=1200, kernel_name="python3", resources={"metadata": {"path": place}})
    client.execute(env=env or dict(os.environ))
    nb = small(nb) if folder else nb
    nb, _ = CoalesceStreamsPreprocessor().preprocess(nb, {})
    nbformat.write(nb, path)


def study(path: Path) -> None:
    "Execute a study as anybody can who has this checkout and nothing else."
    env = {name: value for name, value in os.environ.items() if name != "CMM_DATA"}
    with tempfile.TemporaryDirectory(prefix="study ") as folder:
        if path.stem.endswith("_report"):
            command = [Path(sys.executable).parent / "cmm", "batch", "offline", "--quiet", "--workers", "1"]
            subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
        execute(path, Path(folder), env)


def has_own_parameters(path: Path) -> bool:
    "Does a notebook hold a cell of parameters that it was executed with, in place of its defaults?"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any("injected-parameters" in cell["metadata"].get("tags", []) for cell in cells)


def wanted(names: list[str]) -> list[Path]:
    if names:
        return [p for p in notebooks() if {p.stem, p.stem[3:]} & set(names)]
    return [p for p in notebooks() if not has_own_parameters(p)]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for notebook in wanted(sys.argv[1:]):
        print(notebook.name, flush=True)
        if notebook.parent.name == "studies" and not has_own_parameters(notebook):
            study(notebook)
        else:
            execute(notebook)
