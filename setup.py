"""Packaging: everything comes from settings.ini."""

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
settings = ConfigParser(delimiters=["="])
settings.read(here / "settings.ini", encoding="utf-8")
cfg = settings["DEFAULT"]

plots, batch = cfg["plots_requirements"].split(), cfg["batch_requirements"].split()
onnx, hub = cfg["onnx_requirements"].split(), cfg["hub_requirements"].split()


def description() -> str:
    "README.md for a package index, where the project's own pictures and pages are out of reach."
    text = (here / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    return re.sub(r"(?<!!)\[([^]]+)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=description(),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license="MIT",
    license_files=["LICENSE"],
    keywords=cfg["keywords"].split(),
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
    ],
    packages=find_packages(include=["cmm_nb", "cmm_nb.*"]) + ["cmm_nb.notebooks", "cmm_nb.grid_files"],
    # the studies and the grids travel with the package
    package_dir={"cmm_nb.notebooks": "nbs/studies", "cmm_nb.grid_files": "grids"},
    package_data={
        "cmm_nb": ["py.typed", "embedded_data/*", "page/*"],
        "cmm_nb.notebooks": ["*.ipynb"],
        "cmm_nb.grid_files": ["*.yaml"],
    },
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require=dict(
        plots=plots,
        batch=plots + batch,
        browser=cfg["browser_requirements"].split(),
        ray=plots + batch + cfg["ray_requirements"].split(),
        onnx=onnx,
        hub=hub,
        dev=plots + batch + onnx + hub + cfg["dev_requirements"].split(),
    ),
    entry_points={"console_scripts": cfg["console_scripts"].split()},
    zip_safe=False,
)
