"""Every command and every piece of Python in README.md, run in a folder of stand-ins: no network, nothing long.

Targets of make are looked up and not made, and for `pip install` the named extras must be there: tools/check.py builds
and installs the package."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import metadata
from pathlib import Path

from cmm_nb.use.stand_ins import Painter, draw_stand_ins

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SHORT = {  # how a command that would be long, or write into the project, is run here
    "cmm batch -p ": """ -q --runs runs -p seeds=[1] -p 'settings={"cmm-paper": {"iterations": 50}}'""",
    "cmm report": " --runs runs",
}


def found(text: str) -> tuple[list[str], list[str]]:
    "Shell commands and Python blocks of a page, in their order, blocks before what stands in the prose."
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    lines = [
        line.split(" #")[0].strip() for kind, block in blocks if kind == "sh" for line in block.splitlines()
    ]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines += [" ".join(code.split()) for code in re.findall(r"`((?:make|cmm|pip)\s[^`]+)`", prose)]
    shell = dict.fromkeys(line for line in lines if line and not line.startswith("#"))
    return list(shell), [block for kind, block in blocks if kind == "python"]


def pictures(home: Path) -> None:
    "The files that the README names."
    painter = Painter()
    counts = {"pets/cat": 6, "pets/dog": 6, "more pets/dog": 1, "more pets/hedgehog": 2, "archive": 3, ".": 1}
    for c, (folder, n) in enumerate(counts.items()):
        for i in range(n):
            file = home / folder / ("IMG_7.jpg" if folder == "." else f"{i}.jpg")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(painter.jpeg(c))


def served(words: list[str], home: Path, env: dict) -> str:
    "Start a server, and end it as soon as it says that it can be ended; what went wrong, or nothing."
    with subprocess.Popen(
        words, cwd=home, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        said = next((line for line in process.stdout if "Ctrl-C ends it" in line), "")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    return "" if said and process.returncode == 0 else f"exit {process.returncode}: {said}{rest}"


def run(command: str, home: Path) -> str:
    "Run a command as a reader would, in `home`; what went wrong, or nothing."
    words = shlex.split(command)
    if words[0] == "pip":
        extras = set(re.findall(r"\[(\w+)\]", command)) - set(metadata("cmm_nb").get_all("Provides-Extra"))
        return f"there is no extra {', '.join(extras)}" if extras or words[1] != "install" else ""
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    env |= {"CMM_DATA": str(home / "data"), "CMM_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    place = ROOT if words[0] == "make" else home
    command = command.replace("make ", "make -n ", 1) if words[0] == "make" else command
    if words[:2] == ["cmm", "serve"]:
        return served([*words, "--port", "0"], home, env)
    command += next((more for start, more in SHORT.items() if command.startswith(start)), "")
    done = subprocess.run(
        command, shell=True, cwd=place, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout[-2000:] if done.returncode else ""


def main() -> None:
    commands, blocks = found((ROOT / "README.md").read_text(encoding="utf-8"))
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="a reader ") as folder:
        home = Path(folder)
        draw_stand_ins(home / "data", classes=5, shots=1, test=1)
        pictures(home)
        for number, block in enumerate(blocks):
            (home / f"block{number}.py").write_text(block, encoding="utf-8")
        for command in [*commands, *(f"python block{number}.py" for number in range(len(blocks)))]:
            fault = run(command, home)
            wrong += bool(fault)
            print("FAIL" if fault else "ok  ", command, fault, flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
