"""Features drawn from a model of CLIP's: what the benches measure where no data set of the size is at hand.

An image is a common mean, an offset of its class, and noise that spreads as the rows of real packs do inside their
classes (packs below CMM_DATA if they are there, else a power law); offsets live more in the leading directions than
noise does. A text is another mean, its class's offset as far as noise leaves it visible, and an offset of its own.
The kinds: `photographs`; `heavy-tailed`, a flatter spectrum and some rows with far more noise than others; and
`fine-grained`, classes in families of twenty that differ little."""

import numpy as np

from cmm_nb.clip.packs import load_pack
from cmm_nb.core import l2norm, optional_data
from cmm_nb.model.tasks import Task, make_task

KINDS = ("photographs", "heavy-tailed", "fine-grained")
BETWEEN, WITHIN, TEXTS = (
    0.12,
    0.35,
    0.17,
)  # square lengths of the offsets, the noise, and what sets texts apart
OWN = 0.6  # share of a text's offset that no image shows
FAMILY = 20


def spectrum(d: int, kind: str = "photographs") -> np.ndarray:
    "Variances (d,) of the noise along its principal directions, falling, of sum one."
    ranks, found = np.arange(1, d + 1), []
    for name in () if kind == "heavy-tailed" else ("fashion_vitb32", "food9_vitb32"):
        path = optional_data(f"real_clip/{name}.npz")
        if path:
            pack = load_pack(path)
            means = np.stack([pack.image[pack.label == c].mean(0) for c in range(len(pack.text))])
            rest = pack.image - means[pack.label]
            values = np.linalg.eigvalsh(rest.T @ rest)[::-1].clip(1e-9)
            places = np.arange(1, len(values) + 1) / len(values)
            found.append(np.interp(ranks / d, places, values / values.sum()))
    mean = np.mean(found or [ranks ** (-0.8 if kind == "heavy-tailed" else -1.1)], 0)
    return mean / mean.sum()


def long(rows: np.ndarray, square: float) -> np.ndarray:
    "Rows scaled together to the mean square length."
    return rows * (square / np.square(rows).sum(1).mean()) ** 0.5


class Drawn:
    "A drawn world: texts (C, d), and `images(n)` -> n rows a class (n C, d) with their labels."

    def __init__(self, C: int, d: int, kind: str = "photographs", seed: int = 1):
        self.C, self.d, self.kind, self.rng = C, d, kind, np.random.default_rng(seed)
        self.noise = np.sqrt(spectrum(d, kind)).astype(np.float32)
        common = l2norm(self.rng.normal(size=(2, d))).astype(np.float32)
        offsets = self.around(C, self.noise**1.6)
        if kind == "fine-grained":
            offsets = 0.8 * offsets + 0.9 * self.around(C, self.noise**1.6)[np.arange(C) // FAMILY]
        self.offsets, self.mean = long(offsets, BETWEEN), 0.82 * common[0]
        shared = long(self.offsets / self.noise, TEXTS * (1 - OWN**2))
        own = long(self.around(C, self.noise**0.6), TEXTS * OWN**2)
        self.text = l2norm(0.91 * common[1] + shared + own)

    def around(self, n: int, lengths: np.ndarray) -> np.ndarray:
        return self.rng.standard_normal((n, self.d), dtype=np.float32) * lengths

    def images(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.tile(np.arange(self.C), n)
        noise = long(self.around(len(y), self.noise), WITHIN)
        if self.kind == "heavy-tailed":
            noise *= np.sqrt(2 / self.rng.chisquare(4, (len(y), 1))).astype(np.float32)
        return l2norm(self.mean + self.offsets[y] + noise), y


def drawn_task(
    C: int, d: int, shots: int, seed: int = 1, val: int = 4, kind: str = "photographs"
) -> tuple[Task, Drawn]:
    "A task of `shots` drawn images a class and `val` to choose by, and the world that it is drawn from."
    world = Drawn(C, d, kind, seed)
    judged = world.images(val) if val else ()
    return make_task(*world.images(shots), world.text, *judged, seed=seed), world
