__version__ = "0.1.0"


def __getattr__(name: str):
    "`from cmm_nb import CMMClassifier`, loaded when it is first asked for: importing the package alone stays light."
    if name == "CMMClassifier":
        from cmm_nb.classifier import CMMClassifier
        return CMMClassifier
    raise AttributeError(f"module 'cmm_nb' has no attribute {name!r}")
