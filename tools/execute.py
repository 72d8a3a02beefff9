"""Execute teaching notebooks in place, in order: tools/execute.py [NAME ...] (default: all but the parameterised ones, 30 and up)."""
import os
import subprocess
import sys
from pathlib import Path

NBS = Path(__file__).resolve().parent.parent/"nbs"


def wanted(names: list[str]) -> list[Path]:
    all_of_them = sorted(NBS.glob("[0-9]*.ipynb")) + [NBS/"index.ipynb"]
    return [p for p in all_of_them if (p.stem in names if names else p.stem < "30" or p.stem == "index")]


for notebook in wanted(sys.argv[1:]):
    print(notebook.name, flush=True)
    subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", "--coalesce-streams",
                    "--log-level", "WARN", str(notebook)], check=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
