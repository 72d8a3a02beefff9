"""Features drawn from a model of CLIP's: what the benches measure where no data set of the size is at hand.

An image is a common mean, an offset of its class, and noise; both spread as the rows of real packs do inside their
classes (below CMM_DATA, if they are there; else by a power law). A text is another mean and an offset half like its
class's. The kinds: `photographs`; `heavy-tailed`, a flatter spectrum and rows of very different noise; and
`fine-grained`, classes in families of twenty that differ little."""

from dataclasses import dataclass

import numpy as np

from cmm_nb.clip.packs import load_pack
from cmm_nb.core import l2norm, optional_data
from cmm_nb.model.tasks import Task, make_task

KINDS = ("photographs", "heavy-tailed", "fine-grained")
PACKS = ("fashion_vitb32", "food9_vitb32")
FAMILY = 20


def spectrum(d: int, kind: str = "photographs") -> np.ndarray:
    "Variances (d,) along the principal directions, falling, of sum one."
    ranks, found = np.arange(1, d + 1), []
    for path in [optional_data(f"real_clip/{name}.npz") for name in PACKS] if kind != "heavy-tailed" else []:
        if path:
            pack = load_pack(path)
            means = np.stack([pack.image[pack.label == c].mean(0) for c in range(len(pack.text))])
            rest = pack.image - means[pack.label]
            values = np.linalg.eigvalsh(rest.T @ rest)[::-1].clip(1e-9)
            found.append(
                np.interp(ranks / d, np.arange(1, len(values) + 1) / len(values), values / values.sum())
            )
    if not found:
        found = [ranks ** (-0.8 if kind == "heavy-tailed" else -1.1)]
    mean = np.mean(found, 0)
    return mean / mean.sum()


BETWEEN, WITHIN, SIGNAL, FA, FB, SH, BES = 0.12, 0.2, 2.0, 0.8, 0.9, 1.5, 0.3


def _lengths(variances: np.ndarray, power: float) -> np.ndarray:
    "Standard deviations (d,) of variances to a power, of square sum one."
    powers = variances**power
    return np.sqrt(powers / powers.sum()).astype(np.float32)


@dataclass
class Drawn:
    "A drawn world: texts (C, d), and `images(n)` -> n rows a class (n C, d) with their labels."

    C: int
    d: int
    kind: str = "photographs"
    seed: int = 1

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        variances = spectrum(self.d, self.kind)
        self.noise, self.signal = (_lengths(variances, power) for power in (1, SIGNAL))
        common = l2norm(self.rng.normal(size=(2, self.d))).astype(np.float32)
        self.offsets = BETWEEN**0.5 * self.around(self.C, self.signal)
        if self.kind == "fine-grained":
            family = np.arange(self.C) // FAMILY
            self.offsets = FA * self.offsets + FB * (BETWEEN**0.5 * self.around(self.C, self.signal))[family]
        meant = self.offsets / self.noise**SH
        meant *= (0.17 * (1 - BES**2) / np.square(meant).sum(1).mean()) ** 0.5
        beside = self.around(self.C, self.signal / self.noise**SH)
        beside *= (0.17 * BES**2 / np.square(beside).sum(1).mean()) ** 0.5
        self.mean = 0.82 * common[0]
        self.text = l2norm(0.91 * common[1] + meant + beside)

    def around(self, n: int, lengths: np.ndarray) -> np.ndarray:
        "Rows (n, d) of mean zero, and of length about one."
        return self.rng.standard_normal((n, self.d), dtype=np.float32) * lengths

    def images(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.tile(np.arange(self.C), n)
        noise = WITHIN**0.5 * self.around(len(y), self.noise)
        if self.kind == "heavy-tailed":
            noise *= np.sqrt(2 / self.rng.chisquare(4, (len(y), 1))).astype(np.float32)
        return l2norm(self.mean + self.offsets[y] + noise), y


def drawn_task(
    C: int, d: int, shots: int, seed: int = 1, val: int = 4, kind: str = "photographs"
) -> tuple[Task, Drawn]:
    "A task of `shots` drawn images a class and `val` to choose by, and the world it is drawn from."
    world = Drawn(C, d, kind, seed)
    support, judged = world.images(shots), world.images(val) if val else (None, None)
    return make_task(*support, world.text, *judged, seed=seed), world
