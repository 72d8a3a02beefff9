"""Why do CLIP's image and text embeddings live apart, and how to turn that into a few-shot image classifier.

The public names of the package; each is loaded when it is first asked for: importing the package costs nothing."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .clip.encoders import ENCODERS, load_encoder
    from .clip.features import load_features
    from .clip.packs import load_pack
    from .core import optional_data
    from .data.images import DATASETS, load_dataset
    from .gap.explore import explore
    from .gap.measures import GAP_METRICS, gap_metric, gap_report
    from .metrics import evaluate
    from .model.methods import METHODS, fit_many, fit_method, method
    from .model.tasks import make_task, pack_task
    from .runs.ledger import read_ledger
    from .use.classifier import CMMClassifier
    from .use.pipelines import ClipFeatures

_HOME = {
    "core": ("optional_data",),
    "metrics": ("evaluate",),
    "data.images": ("DATASETS", "load_dataset"),
    "clip.encoders": ("ENCODERS", "load_encoder"),
    "clip.packs": ("load_pack",),
    "clip.features": ("load_features",),
    "model.tasks": ("make_task", "pack_task"),
    "model.methods": ("METHODS", "fit_many", "fit_method", "method"),
    "gap.explore": ("explore",),
    "gap.measures": ("GAP_METRICS", "gap_metric", "gap_report"),
    "runs.ledger": ("read_ledger",),
    "use.classifier": ("CMMClassifier",),
    "use.pipelines": ("ClipFeatures",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}
__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'cmm_nb' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"cmm_nb.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
