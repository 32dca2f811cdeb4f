"""What the explorer shows of one sequence: numbers alone, no drawing and no server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from torch import Tensor

from modelzoo.apply.predict import Prediction, predict
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.weights import checksum
from modelzoo.attribution.hits import motif_hits
from modelzoo.attribution.methods import METHODS, Explain, Method, finished, raw_maps
from modelzoo.attribution.spread import spread, spread_of
from modelzoo.datasets.peaks import shuffled
from modelzoo.motifs.jaspar import jaspar
from modelzoo.sequences import Record, decode, encode, one_hot
from modelzoo.sequences.encoding import reverse_complement_letters
from modelzoo.sequences.records import checked
from modelzoo.zoo import catalog
from modelzoo.zoo.adapters import Wrapped, load_any, named

LONGEST = 10_000  # positions of a sequence
MUTATED = 500  # positions: mutagenesis, and what asks the model as often, is done up to here
MAX_SHIFT = 20
SHIFTED = ("gradient", "shiftsmooth", "shiftsmooth-ig")  # quick enough to follow every change
MUTAGENESIS = "ism"
MAIN = "shiftsmooth"  # the method whose map motifs follow
# The methods of single windows whose deviation over shifts is the error bar of these, which takes
# a call per shift. That of the others comes from gradients, which share work.
SINGLE = {"shiftsmooth-ig": "integrated-gradients", MUTAGENESIS: MUTAGENESIS}
SHIFTED_LETTERS = 600  # of mutagenesis: with more, its error bars are of some of the shifts
HITS = 8  # instances of motifs that are shown
ALIKE, NAMES = 0.95, 3  # motifs that are followed nearly as far, and how many names are given
WORTH = 0.25  # of the best instance's projection: below, it is not shown
HIT = ("title", "motif", "start", "stop", "strand", "attribution", "p_value")
LOADED = 4  # models that stay in memory
EXAMPLES = {  # of the GATA3 peaks that the models were trained on
    "A GATA3 peak": "ATGACTCCATGATATCTCCAGACTGCAACTACTAGAGTAAATAAGATTTAAATACAGCTGCCAAGCCACCTTATC"
    "ATTTCCCCCTATCAGATCTGAACATG",
    "GATA on both strands": "CAAGGATTTATCGCCTCCTGGTTCTGCTGCTAGAACAAGTGCCCACTGTTGATAAGATCAGGAGG"
    "CTGATTTAACAAATTGAACTTTAATATGATTTTCCT",
}


class Model:
    """A model under its name, with what explains it kept from one question to the next.

    Args:
        name: What it was loaded by.
        module: Of the zoo, or wrapped.
    """

    def __init__(self, name: str, module: Any) -> None:
        self.name, self.module = name, module
        # What ShiftSmooth finds out about a model, it keeps with the function made here.
        self.explain = lru_cache(maxsize=32)(self._explain)

    @property
    def kind(self) -> str:
        """What its numbers are: logits, from which follow probabilities, or outputs of any kind."""
        return "output" if isinstance(self.module, Wrapped) else "logit"

    def method(self, name: str, max_shift: int) -> Method:
        """Return a method of the registry, with this N where it shifts."""
        method = METHODS[name]
        return method.having(max_shift=max_shift) if "max_shift" in method.parameters else method

    def maps(self, name: str, letters: str, task: int, max_shift: int) -> Tensor:
        """Return the corrected maps of a method for one sequence, (4, L)."""
        method = self.method(name, max_shift)
        x = one_hot(letters)
        explain = self.explain(name, task, max_shift if method.parameters else 0)
        found = finished(method, raw_maps(explain, x, method.rows, 0), x, corrected=True)[0]
        if not found.isfinite().all():
            raise ValueError(f"model: expected finite attributions, got others by {method.title}")
        return found

    def _explain(self, name: str, task: int, max_shift: int) -> Explain:
        explain, turn = self.method(name, max_shift).on(self.module, task), Lock()

        def one_at_a_time(x: Tensor, seed: int) -> Tensor:
            with turn:  # what it keeps of a call is not for two threads
                return explain(x, seed)

        return one_at_a_time


class Models:
    """The models that a visitor may choose from; they are loaded when they are first asked for.

    Args:
        names: What the command line was given; the catalog's shipped models by default.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names) or _shipped()
        self._loaded = lru_cache(maxsize=LOADED)(
            lambda name: Model(name, _calibrated(load_any(name)))
        )

    def __getitem__(self, name: str) -> Model:
        # A name may run code of this machine: only the command line gives names.
        if name not in self.names:
            raise ValueError(f"model: expected one of {', '.join(self.names)}, got {name!r}")
        return self._loaded(name)


def _calibrated(module: Any) -> Any:
    """Return a model; give the experts of a mixture the calibration of the catalog's same ones.

    A mixture's configuration holds its own calibration alone. An expert that the catalog has too,
    with the same weights, is calibrated there.
    """
    for expert in module.experts.values() if isinstance(module, MixtureOfExperts) else ():
        for name in catalog.list_models():
            info = catalog.info(name)
            alike = info.architecture == expert.architecture and info.tasks == expert.tasks
            if expert.calibration is None and alike and info.shipped:
                same = load_any(name)
                if checksum(same) == checksum(expert):
                    expert.calibrate(same.calibration)
    return module


def _shipped() -> list[str]:
    """Return the shipped models, mixtures first; of these the ones of few experts, being fast."""
    shipped = [info for info in map(catalog.info, catalog.list_models()) if info.shipped]
    ranked = sorted(shipped, key=lambda info: len(info.config.get("experts", ())) or math.inf)
    return [info.name for info in ranked]


@dataclass(frozen=True)
class Question:
    """What a visitor asks, checked.

    Attributes:
        model: The model.
        letters: The sequence, upper case, without white space.
        task: The column of the model's output.
        max_shift: N.
    """

    model: Model
    letters: str
    task: int = 0
    max_shift: int = 5

    def maps(self, method: str) -> Tensor:
        """Return the corrected maps of a method, (4, L)."""
        return self.model.maps(method, self.letters, self.task, self.max_shift)

    @classmethod
    def of(
        cls, models: Models, model: str, sequence: str, task: int = 0, max_shift: int = 5
    ) -> Question:
        """Return the question, or raise a ValueError that begins with the name of what is wrong."""
        letters = checked_letters(sequence)
        most = min(MAX_SHIFT, len(letters) - 1)
        if not 0 <= max_shift <= most:
            raise ValueError(f"max_shift: expected 0 to {most}, got {max_shift}")
        return cls.fitting(models[model], letters, task, max_shift)

    @classmethod
    def fitting(cls, model: Model, letters: str, task: int, max_shift: int) -> Question:
        """Return the question about checked letters, with N made smaller where they are few."""
        try:
            named(model.module, len(letters))
            if model.kind == "output":
                next(iter(predict(model.module, [letters])))
        except RuntimeError as error:  # of torch: a model for one length, and this is another
            cause = str(error).split("\n")[0]
            raise ValueError(
                f"sequence: the model cannot take {len(letters)} positions: {cause}"
            ) from error
        tasks = len(model.module.tasks)
        if not 0 <= task < tasks:
            raise ValueError(f"task: expected 0 to {tasks - 1}, got {task}")
        return cls(model, letters, task, min(max_shift, len(letters) - 1))


def checked_letters(text: str) -> str:
    """Return the letters of what somebody typed, upper case and without white space.

    Raises:
        ValueError: There are none, too many, or others than IUPAC nucleotide letters.
    """
    letters = "".join(text.split())
    if not letters:
        raise ValueError("sequence: expected letters, got none")
    if len(letters) > LONGEST:
        raise ValueError(f"sequence: expected {LONGEST:,} letters at most, got {len(letters):,}")
    try:
        checked(Record("the sequence", letters))
    except ValueError as error:
        raise ValueError(f"sequence: {error}") from None
    return letters.upper()


def edited(text: str, how: str, seed: int = 0) -> str:
    """Return a sequence made from another.

    Args:
        text: The sequence.
        how: `"reverse"`, the other strand; `"shuffle"`, with the same dinucleotides; `"random"`, of
            the same length, or of 101 if there is none.
        seed: Of what is random.
    """
    if how == "random":
        length = len(checked_letters(text)) if text.strip() else 101
        drawn = np.random.default_rng(seed).integers(4, size=(1, length), dtype=np.uint8)
        return decode(drawn)[0]
    letters = checked_letters(text)
    if how == "reverse":
        return reverse_complement_letters(letters)
    if how == "shuffle":
        return decode(shuffled(encode(letters), seed))[0]
    raise ValueError(f"how: expected reverse, shuffle or random, got {how!r}")


@dataclass(frozen=True)
class Answer:
    """One number of a model about a sequence.

    Attributes:
        name: Of the task, or of the expert.
        part: `"model"` or `"expert"`.
        number: The logit, or the output.
        probability: None where the number is no logit.
        calibrated: Whether the probability was calibrated on sequences that were not trained on.
    """

    name: str
    part: str
    number: float
    probability: float | None
    calibrated: bool


def answers(question: Question) -> tuple[list[Answer], dict[str, float]]:
    """Return what the model and each of its experts say, and the weight of every expert."""
    module = question.model.module
    said = _predicted(module, question.letters)
    found = _answers(module, said, module.tasks, "model")
    gate: dict[str, float] = {}
    if isinstance(module, MixtureOfExperts):
        gate = dict(zip(module.experts, said.gate))
        for name, expert in module.experts.items():
            found += _answers(expert, _predicted(expert, question.letters), (name,), "expert")
    return found, gate


def _predicted(module: Any, letters: str) -> Prediction:
    return next(iter(predict(module, [letters])))


def _answers(module: Any, said: Prediction, names: Iterable[str], part: str) -> list[Answer]:
    chances: Sequence[float | None] = said.probabilities or [None] * len(said.logits)
    calibrated = getattr(module, "calibration", None) is not None
    rows = zip(names, said.logits, chances)
    return [Answer(name, part, number, chance, calibrated) for name, number, chance in rows]


def contributions(maps: Tensor, letters: str) -> Tensor:
    """Return what the letters present contribute, (4, L) -> (L,); 0 for an ambiguous letter."""
    return (maps * (one_hot(letters)[0] == 1)).sum(0)


def quick(question: Question) -> dict[str, Any]:
    """Return all that follows a change of a letter at once.

    Its keys: letters, tasks, kind; answers; gate, the weight of every expert; rows, by method the
    title, the contribution of every letter, and its spread, None where that comes later.
    """
    model, letters = question.model, question.letters
    found, gate = answers(question)
    gradients = deviations(question, MAIN).tolist()
    rows = {}
    for name in SHIFTED:
        rows[name] = {
            "title": model.method(name, question.max_shift).title,
            "heights": contributions(question.maps(name), letters).tolist(),
            "spread": None if name in SINGLE else gradients,
        }
    return {
        "letters": letters,
        "tasks": list(model.module.tasks),
        "kind": model.kind,
        "answers": [vars(answer) for answer in found],
        "gate": gate,
        "rows": rows,
    }


def has_bars(question: Question, name: str) -> bool:
    """Return whether there is time for the error bars of a row."""
    return name not in SINGLE or len(question.letters) <= MUTATED


def deviations(question: Question, name: str) -> Tensor:
    """Return the standard deviation over shifts of every letter's contribution, (L,).

    Args:
        question: Tells N.
        name: Of a row. What deviates is the method without shifts: for ShiftSmooth the gradient.
    """
    model, x = question.model.module, one_hot(question.letters)
    if name not in SINGLE:
        return spread(model, x, question.task, question.max_shift)[0]
    return spread_of(model, x, METHODS[SINGLE[name]], question.task, shifts(question, name))[0]


def shifts(question: Question, name: str) -> list[int]:
    """Return the shifts that the error bars of a row are of: all, or for mutagenesis some."""
    most = question.max_shift
    count = 2 * most + 1
    if name == MUTAGENESIS:
        count = min(count, max(3, SHIFTED_LETTERS // len(question.letters)))
    return np.unique(np.linspace(-most, most, count).round().astype(int)).tolist()


def mutations(question: Question) -> Tensor:
    """Return the change of the output by every substitution, (4, L); 0 for the letter there.

    At an ambiguous letter the change is from the mean over the four bases.
    """
    letters = question.letters
    if len(letters) > MUTATED:
        raise ValueError(
            f"sequence: expected {MUTATED:,} letters at most for mutagenesis, got {len(letters):,}"
        )
    maps = question.maps(MUTAGENESIS)
    return maps - contributions(maps, letters)


def slow(question: Question) -> dict[str, Any]:
    """Return what follows a little later.

    Its keys: row, as in `quick`, of mutagenesis, and effects, (4, L), see `mutations`, both None
    where the sequence is too long; hits, see `hits`.
    """
    row = effects = None
    if len(question.letters) <= MUTATED:
        effects = mutations(question)
        row = mutated_row(question, effects)
    return {
        "row": row,
        "effects": None if effects is None else effects.tolist(),
        "hits": hits(question),
    }


def bars(question: Question) -> dict[str, list[float]]:
    """Return the error bars that the rows lack so far, by method."""
    return {
        name: deviations(question, name).tolist() for name in SINGLE if has_bars(question, name)
    }


def mutated_row(question: Question, effects: Tensor) -> dict[str, Any]:
    """Return mutagenesis as a row of letters, as in `quick`."""
    # The corrected map again: less the mean over the bases, at the letter that is there.
    corrected = effects - effects.mean(0, keepdim=True)
    return {
        "title": question.model.method(MUTAGENESIS, question.max_shift).title,
        "heights": contributions(corrected, question.letters).tolist(),
        "spread": None,
    }


def hits(question: Question) -> list[dict[str, Any]]:
    """Return the instances of JASPAR's motifs that ShiftSmooth's map follows, from left to right.

    How far it does is the map's projection on the motif. Of instances that overlap, the one with
    the largest is taken, and none below `WORTH` of the largest of all. The title names the motifs
    of a family that are followed as far there.
    """
    letters = question.letters
    maps = question.maps(MAIN)
    motifs = {motif.name: motif for motif in jaspar()}
    projected = contributions(maps, letters).numpy()[None]
    found = motif_hits(tuple(motifs.values()), encode(letters), projected).to_dict("records")
    for hit in found:
        hit["start"], hit["stop"] = int(hit["start"]), int(hit["stop"])
        matrix = motifs[hit["motif"]].matrix - 0.25
        turned = matrix if hit["strand"] == "+" else matrix[::-1, ::-1]
        span = maps[:, hit["start"] : hit["stop"]].numpy()
        hit["followed"] = float((turned * span).sum() / np.linalg.norm(matrix))
        hit["title"] = motifs[hit["motif"]].title or hit["motif"]
    found.sort(key=lambda hit: -hit["followed"])
    taken: list[dict[str, Any]] = []
    for hit in found:
        if hit["followed"] <= max(0.0, WORTH * found[0]["followed"]) or len(taken) == HITS:
            break
        if all(hit["stop"] <= other["start"] or other["stop"] <= hit["start"] for other in taken):
            names = [one["title"] for one in found if _alike(one, hit)]
            taken.append({**{key: hit[key] for key in HIT}, "title": " / ".join(names[:NAMES])})
    return sorted(taken, key=lambda hit: hit["start"])


def _alike(one: dict[str, Any], best: dict[str, Any]) -> bool:
    same = one["start"] == best["start"] and one["stop"] == best["stop"]
    return same and ALIKE * best["followed"] <= one["followed"] <= best["followed"]
