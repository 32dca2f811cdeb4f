"""How much of the planted-motif study is trained and measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelzoo.attribution.methods import METHODS, Method
from modelzoo.datasets.peaks import VALIDATION_SEED
from modelzoo.training.argminn import Params

SETS = {"spi1": "SPI1", "tal-gata": "TAL/GATA", "e2f6": "E2F6", "rest": "REST"}
# DeepLiftShap with as many references as in the paper.
ATTRIBUTED: dict[str, Method] = {
    "deep-lift-shap": METHODS["deep-lift-shap"].having(shuffles=10),
    "integrated-gradients": METHODS["integrated-gradients"],
    "gradient": METHODS["gradient"],
    "shiftsmooth-5": METHODS["shiftsmooth"].having(max_shift=5),
}
GC = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
TEST_SEED = VALIDATION_SEED + 1  # of sequences to judge on, apart from all to train on
TEST_SIZE = 10_000  # sequences to judge on


@dataclass(frozen=True)
class Settings:
    """How much is trained and measured.

    Attributes:
        seed: Decides everything random.
        initialisations: Networks of each kind on each set.
        params: How long each is trained.
        test: Sequences to judge on.
        explained: Positives that are attributed for TF-MoDISco; as many as in the paper.
        seqlets: Seqlets of either sign that TF-MoDISco looks at: its time grows with their square.
        instances: Positives in which instances are ranked: 128 and their other strands.
        read: Sequences to read syntax from, and random ones to read filters from.
        gc: G+C contents of the background.
        sets: Keys of `SETS`.
        attributed: Keys of `ATTRIBUTED`.
    """

    seed: int = 0
    initialisations: int = 3
    params: Params = field(default_factory=Params)
    test: int = TEST_SIZE
    explained: int = 1280
    seqlets: int = 500
    instances: int = 256
    read: int = 4000
    gc: tuple[float, ...] = GC
    sets: tuple[str, ...] = tuple(SETS)
    attributed: tuple[str, ...] = tuple(ATTRIBUTED)


QUICK = Settings(
    initialisations=1,
    params=Params(epochs=2, batches=25, candidates=1),
    test=1000,
    explained=200,
    seqlets=200,
    instances=64,
    read=500,
    gc=(0.2, 0.5, 0.8),
)
