"""Execute notebooks in place, in order: tools/execute.py [NAME ...] (default: all).

NAME is a notebook's stem, with or without its number. Cells with a test flag of settings.ini (slow, weights,
cuda, notest) are left out and keep the output they have. A study runs with its default parameters in a folder of its
own, without optional data; the report finds the ledger of `cmm batch offline` there. A study whose output was made
with other parameters, which stand in a cell of it, keeps that output unless it is named."""

import base64
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
        return cell if directives & self.skip else await super().async_execute_cell(cell, *args, **kwargs)


FIGURE = re.compile(
    r'<img src="data:image/png;base64,([^"]+)" width="(\d+)"[^>]*><figcaption>(.*?)</figcaption>', re.S
)
WIDEST, COLOURS = 900, 96  # pixels of a committed picture, and its colours


def shrunk(png: str, width: int) -> str:
    "A PNG picture (base64) at the width that it has on a page, in few colours."
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    width = min(width, WIDEST)
    if width < image.width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    file = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def still(output) -> list:
    "An output as it is committed: small, and pictures inside HTML, which GitHub does not show, on their own."
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = shrunk(data["image/png"], WIDEST)
    if "text/html" in data:  # links to rows that only a page has
        data["text/html"] = re.sub(r'<a[^>]* href="#rows"[^>]*>(.*?)</a>', r"\1", data["text/html"])
    pictures = FIGURE.findall(data.get("text/html", ""))
    if not pictures:
        return [output]
    shown = []
    for png, width, caption in pictures:
        words = unescape(re.sub(r"<[^>]+>", "", caption))
        data = {"image/png": shrunk(png, int(width)), "text/plain": words}
        shown += [
            nbformat.v4.new_output("stream", text=f"{words}\n"),
            nbformat.v4.new_output("display_data", data),
        ]
    return shown


def execute(path: Path, folder: Path | None = None, env: dict | None = None) -> None:
    "Execute a notebook in `folder` (default: its own) and write it back with what it shows."
    nb = nbformat.read(path, as_version=4)
    place = str(folder or path.parent)
    client = Client(nb, timeout=1200, kernel_name="python3", resources={"metadata": {"path": place}})
    client.execute(env=env or dict(os.environ))
    if folder:
        for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
            said = [output for output in cell.outputs if output.get("name") != "stderr"]  # progress bars
            cell.outputs = [one for output in said for one in still(output)]
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
