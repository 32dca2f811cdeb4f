"""What a model knows of planted motifs: accuracy, motifs, instances, syntax, and how to fool it.

Every function takes trained models and simulated sequences, of which the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor, nn

from modelzoo import motifs as motif_tools
from modelzoo.architectures.argminn import ARGMINN
from modelzoo.attribution.methods import Method, importance, maps, simplex_corrected
from modelzoo.datasets.planted.likelihood import log_likelihood_ratio
from modelzoo.datasets.planted.simulation import JASPAR_RELEASE, Scanner, SimulatedSet, Simulation
from modelzoo.motifs import Match, Motif
from modelzoo.sequences import columns
from modelzoo.studies.peaks.scores import logits
from modelzoo.training.expert import VALIDATION_SEED

if TYPE_CHECKING:
    from pandas import DataFrame

TEST_SEED = VALIDATION_SEED + 1  # of simulated sequences to judge on, apart from all to train on
TEST_SIZE = 10_000
Q_VALUE = 0.05  # a filter above it is no motif
BEAM = 2048  # words that are looked through for one without a match


class Found(NamedTuple):
    """A stretch of a sequence in which a method sees a motif; half open."""

    sequence: int
    start: int
    stop: int


def accuracy(model: nn.Module, batch: SimulatedSet) -> float:
    """The fraction of sequences on the right side of probability one half."""
    return float(((logits(model, batch.codes)[:, 0] > 0) == batch.labels).mean())


def best_accuracy(simulation: Simulation, batch: SimulatedSet) -> float:
    """The accuracy of the likelihood ratio: no model can expect more on such sequences."""
    return float(((log_likelihood_ratio(simulation, batch.codes) > 0) == batch.labels).mean())


def filters_as_motifs(
    activations: Callable[[Tensor], Tensor], width: int, codes: np.ndarray
) -> list[Motif]:
    """The motifs of the filters that anything activates.

    Args:
        activations: Of the filters, (B, 4, L) -> (B, filters, L - width + 1).
        width: Of the filters.
        codes: Random sequences, (n, L).
    """
    found = motif_tools.filter_motifs(activations, codes, width, name="filter")
    return [motif for motif in found if motif is not None]


def attributed_motifs(
    model: nn.Module, codes: np.ndarray, method: Method, *, width: int, max_seqlets: int, seed: int
) -> list[Motif]:
    """TF-MoDISco's motifs from attributions, each cut to the most informative stretch.

    Args:
        model: What to explain.
        codes: Positives, (n, L).
        method: The attribution method.
        width: To cut to: that of the filters that the motifs are compared with.
        max_seqlets: How many of either sign TF-MoDISco looks at, at most.
        seed: Of shuffles.
    """
    x = columns(codes)
    found = hypothetical(model, x, method, seed=seed)
    patterns = motif_tools.modisco(x.numpy(), found.numpy(), max_seqlets=max_seqlets)
    return [_cut(pattern.motif, width) for pattern in patterns]


def hypothetical(model: nn.Module, x: Tensor, method: Method, *, seed: int) -> Tensor:
    """Return what each base would contribute, less the mean of the four.

    Args:
        model: Its first task is explained.
        x: One-hot sequences, (B, 4, L).
        method: The attribution method.
        seed: Of shuffles.

    Returns:
        Shape (B, 4, L).
    """
    if "shuffles" in method.parameters:  # tangermeme divides the sequences itself
        return simplex_corrected(method.on(model)(x, seed))
    return maps(model, x, method, seed=seed)


def targets(simulation: Simulation) -> list[Motif]:
    """A simulation's motifs as motifs to compare with."""
    return [Motif(motif.name, motif.matrix, title=motif.name) for motif in simulation.motifs]


def matches(found: Sequence[Motif], simulation: Simulation) -> list[list[Match]]:
    """How each motif matches the simulation's, best first; q-values are among all of JASPAR.

    Args:
        found: The motifs.
        simulation: Whose motifs to look for, each added to JASPAR's vertebrates.
    """
    own = targets(simulation)
    database = [*own, *motif_tools.jaspar(JASPAR_RELEASE)]
    named = {motif.name for motif in own}
    everything = motif_tools.annotate(found, database, q_value=1.0)
    return [[match for match in row if match.target.name in named] for row in everything]


def similarity(rows: Sequence[Sequence[Match]], simulation: Simulation) -> dict[str, float]:
    """For each of the simulation's motifs, -log10 q of the motif that is nearest; 0 for none.

    Args:
        rows: What :func:`matches` gives.
        simulation: Whose motifs.
    """
    best = {motif.name: 0.0 for motif in simulation.motifs}
    for match in (match for row in rows for match in row):
        said = -float(np.log10(max(match.q_value, 1e-300)))
        best[match.target.name] = max(best[match.target.name], said)
    return best


def matching(rows: Sequence[Sequence[Match]]) -> int:
    """How many motifs are one of the simulation's.

    Args:
        rows: What :func:`matches` gives.
    """
    return sum(row[0].q_value <= Q_VALUE for row in rows if row)


@dataclass(frozen=True)
class Reading:
    """What the filters of an ARGMINN are motifs of.

    Attributes:
        model: The model.
        names: By filter: the motif that it is, with Tomtom's match; filters that are none are left
            out.
    """

    model: ARGMINN
    names: dict[int, Match]

    @classmethod
    def of(cls, model: ARGMINN, simulation: Simulation, codes: np.ndarray) -> Reading:
        """Read a model's filters.

        Args:
            model: The model.
            simulation: What it was trained on.
            codes: Random sequences, (n, L).
        """
        found = filters_as_motifs(model.activations, model.width, codes)
        names = {}
        for motif, row in zip(found, matches(found, simulation)):
            if row and row[0].q_value <= Q_VALUE:
                names[int(motif.name.rpartition("-")[2])] = row[0]
        return cls(model, names)

    def instances(self, codes: np.ndarray) -> DataFrame:
        """The motifs that were attended to, as :func:`modelzoo.motifs.find_instances` gives them.

        A filter may see a part of its motif, or more; the window of the motif is put where the
        filter's alignment with it says.

        Args:
            codes: The sequences, (n, L).
        """
        import pandas

        rows = []
        for instance in self.model.instances(columns(codes)):
            match = self.names.get(instance.filter)
            if match is None:
                continue
            start = instance.start - match.offset
            stop = start + match.target.width
            name, strand = match.target.name, match.orientation
            rows.append((instance.sequence, name, start, stop, strand))
        names = ["sequence", "motif", "start", "stop", "strand"]
        table = pandas.DataFrame(rows, columns=names)
        return table.drop_duplicates(["sequence", "motif", "start"], ignore_index=True)


def attended(model: ARGMINN, codes: np.ndarray) -> list[Found]:
    """ARGMINN's motif instances, surest first: by attention, then by activation."""
    ranked = model.instances(columns(codes), minimum=0.01)
    return collapsed(Found(i.sequence, i.start, i.start + model.width) for i in ranked)


def scanned(found: Sequence[Motif], codes: np.ndarray) -> list[Found]:
    """FIMO's instances of motifs, surest first."""
    hits = motif_tools.find_instances([motif.trimmed() for motif in found], codes)
    hits = hits.sort_values(["p_value", "score"], ascending=[True, False])
    return collapsed(map(Found._make, hits[["sequence", "start", "stop"]].to_numpy().tolist()))


def peaks(model: nn.Module, codes: np.ndarray, method: Method, *, seed: int) -> list[Found]:
    """Stretches of high attribution (tangermeme's seqlets), surest first.

    Args:
        model: What to explain.
        codes: The sequences, (n, L).
        method: The attribution method.
        seed: Of shuffles.
    """
    from tangermeme.seqlet import recursive_seqlets

    x = columns(codes)
    contributions = hypothetical(model, x, method, seed=seed)
    seqlets = recursive_seqlets(importance(contributions, x))
    seqlets = seqlets.sort_values(["p-value", "attribution"], ascending=[True, False])
    rows = seqlets[["example_idx", "start", "end"]].to_numpy().tolist()
    return collapsed(map(Found._make, rows))


def collapsed(ranked: Iterable[Found]) -> list[Found]:
    """The ranked stretches less those that overlap with a surer one."""
    kept: list[Found] = []
    taken: dict[int, list[Found]] = {}
    for one in ranked:
        others = taken.setdefault(one.sequence, [])
        if all(one.stop <= other.start or other.stop <= one.start for other in others):
            others.append(one)
            kept.append(one)
    return kept


def right(ranked: Sequence[Found], batch: SimulatedSet) -> np.ndarray:
    """How many of the first 1, 2, ... stretches overlap with a planted instance."""
    mask = batch.mask()
    return np.cumsum([mask[one.sequence, one.start : one.stop].any() for one in ranked])


def without_motifs(
    weight: Tensor, simulation: Simulation, n: int, *, seed: int
) -> np.ndarray | None:
    """Sequences that excite filters and hold no motif: to be called negative. Shape (n, length).

    Each filter's most activating word that matches no motif, strung together at random.

    Args:
        weight: The filters, (filters, 4, width).
        simulation: Whose motifs must not match.
        n: How many.
        seed: Of the order.

    Returns:
        None where no filter has such a word, or none may follow another.
    """
    return _strung(extreme_words(weight, simulation), simulation, n, seed)


def amid_dullness(weight: Tensor, simulation: Simulation, n: int, *, seed: int) -> SimulatedSet:
    """Positives whose background is what excites the filters least.

    Args:
        weight: The filters, (filters, 4, width).
        simulation: What to plant.
        n: How many.
        seed: Of motifs and order.
    """
    batch = simulation.sample(n, seed=seed, positives=n)
    background = _strung(extreme_words(-weight, simulation), simulation, n, seed)
    if background is None:
        return batch
    return replace(batch, codes=np.where(batch.mask(), batch.codes, background))


def extreme_words(weight: Tensor, simulation: Simulation) -> list[np.ndarray]:
    """Each filter's most activating word that holds no match; filters without one are left out.

    A filter's response is a sum over positions, so the best words are found position by position,
    keeping the best :data:`BEAM` beginnings.
    """
    scanner = Scanner(simulation.motifs, simulation.score, simulation.threshold)
    nobody = np.zeros((BEAM, 1), dtype=int)
    words = []
    for letters in weight.detach().double().numpy():
        if not letters.any():
            continue
        codes, scores = np.empty((1, 0), dtype=np.uint8), np.zeros(1)
        for column in letters.T:
            scores = (scores[:, None] + column).ravel()
            longer = np.tile(np.arange(4, dtype=np.uint8), len(codes))[:, None]
            codes = np.concatenate([codes.repeat(4, axis=0), longer], axis=1)
            best = np.argsort(-scores, kind="stable")[:BEAM]
            codes, scores = codes[best], scores[best]
        matched = scanner.spurious(codes, nobody[: len(codes)], nobody[: len(codes)])
        clean = np.flatnonzero(~matched)
        if len(clean):
            words.append(codes[clean[0]])
    return words


def _strung(
    words: Sequence[np.ndarray], simulation: Simulation, n: int, seed: int
) -> np.ndarray | None:
    """Sequences of the words in random order, without a match at any junction.

    Which word may follow which is known from pairs, for no motif is longer than a word by two.
    """
    if not words:
        return None
    k, width = len(words), len(words[0])
    listed = np.stack(words)
    pairs = np.concatenate([listed.repeat(k, axis=0), np.tile(listed, (k, 1))], axis=1)
    nobody = np.zeros((k * k, 1), dtype=int)
    scanner = Scanner(simulation.motifs, simulation.score, simulation.threshold)
    follows = ~scanner.spurious(pairs, nobody, nobody).reshape(k, k)
    while (ends := follows.any(axis=0) & ~follows.any(axis=1)).any():
        follows[:, ends] = False
    if not follows.any():
        return None
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(follows.any(axis=1)), n)]
    for _ in range(-(-simulation.length // width) - 1):
        chosen.append(np.array([rng.choice(np.flatnonzero(follows[last])) for last in chosen[-1]]))
    return listed[np.stack(chosen, axis=1)].reshape(n, -1)[:, : simulation.length]


def _cut(motif: Motif, width: int) -> Motif:
    """The stretch of a motif that says most, of at most so many positions."""
    if motif.width <= width:
        return motif
    said = np.convolve(motif.bits, np.ones(width), mode="valid")
    start = int(said.argmax())
    return replace(motif, matrix=motif.matrix[:, start : start + width])


def spacings(instances: DataFrame, first: str, second: str) -> dict[str, dict[int, int]]:
    """By arrangement, how often two motifs lie so many bases apart."""
    table = motif_tools.syntax(instances, [first, second])
    table = table[(table["first"] == first) & (table["second"] == second)]
    counts: dict[str, dict[int, int]] = {}
    for arrangement, spacing, count in table[["arrangement", "spacing", "count"]].to_numpy():
        counts.setdefault(arrangement, {})[int(spacing)] = int(count)
    return counts
