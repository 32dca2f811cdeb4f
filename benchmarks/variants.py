"""Measures `modelzoo.variants`: its time, and whether averaging makes effects reproducible.

python benchmarks/variants.py writes benchmarks/VARIANTS.md and docs/images/variants.png. It takes
about ten minutes of one core, and the ChIP-seq files (see `modelzoo.datasets.chipseq`).
"""

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr

import modelzoo
from modelzoo.apply.alleles import Allele, Scoring
from modelzoo.apply.variant_run import VariantRun
from modelzoo.datasets.peaks import held_out, read_peaks
from modelzoo.sequences import ALPHABET, Genome, decode, one_hot, reverse_complement
from modelzoo.workers import threads

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "images" / "variants.png"
FACTORS = ("ARID3A", "FOXM1", "GATA3")
MIXTURE = "moe-arid3a-foxm1-gata3"
MODELS = [f"{name}-arid3a-foxm1-gata3" for name in ("moe", "moe-tower", "moe-mixed", "explainn")]
PEAKS = 400  # of each factor
WIDTH = 81  # all windows of the middle position at shifts -10 to 10 lie inside a peak of 101
REACH = 10
SHIFTS = np.arange(-REACH, REACH + 1)
ALL, ALONE = 5, 200  # N of the times; variants that are scored one window at a time
COUNTS = (2_000, 10_000)


def peaks() -> dict[str, list[str]]:
    """The peaks that are set aside to validate by, which no model was trained on."""
    found = {}
    for factor in FACTORS:
        codes = read_peaks(factor)
        letters = decode(codes[held_out(codes)])
        found[factor] = [peak for peak in letters if "N" not in peak]
    return found


def substituted(letter: str, rng: np.random.Generator) -> str:
    """Another letter."""
    return str(rng.choice([other for other in ALPHABET if other != letter]))


def effects(name: str, folder: Path, letters: list[str]) -> np.ndarray:
    """The effect of a substitution in the middle of each peak, in windows of 21 shifts."""
    rng = np.random.default_rng(0)
    genome = folder / "peaks.fa"
    genome.write_text("".join(f">p{i}\n{peak}\n" for i, peak in enumerate(letters)))
    middle = len(letters[0]) // 2
    alleles = [
        Allele(f"p{i}", middle, peak[middle], substituted(peak[middle], rng))
        for i, peak in enumerate(letters)
    ]
    tasks = tuple(range(len(modelzoo.load(name).tasks)))
    scoring = Scoring(name, name, None, genome, WIDTH, REACH, tasks, 1)
    with torch.no_grad():
        ref, alt, _ = scoring.effects(alleles)
    factors = np.repeat(np.arange(len(FACTORS)), PEAKS)
    task = factors if len(tasks) > 1 else np.zeros_like(factors)  # the peak's own factor
    return (alt - ref)[np.arange(len(letters)), :, task]


def pairs(found: np.ndarray) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Pairs of measurements of the same effects, equal if the window did not matter."""

    def mean(chosen: np.ndarray) -> np.ndarray:
        return found[:, np.isin(SHIFTS, chosen)].mean(1)

    odd, even = np.arange(-5, 6, 2), np.arange(-4, 5, 2)
    return {
        "one window against the next": [(mean(n), mean(n + 1)) for n in range(-5, 5)],
        "half of the windows against the other half": [(mean(odd), mean(even))],
        "10 bp apart, one window": [(mean(-5), mean(5))],
        "10 bp apart, mean over nine windows": [(mean(np.arange(-9, 0)), mean(np.arange(1, 10)))],
    }


def difference(measured: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The root mean square difference of two measurements over the effects' standard deviation."""
    differ = [np.sqrt(((a - b) ** 2).mean()) / np.concatenate([a, b]).std() for a, b in measured]
    return float(np.mean(differ))


def agreement(measured: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """The rank correlation of two measurements, and how often they have the same sign."""
    rank = np.mean([spearmanr(a, b).statistic for a, b in measured])
    same = np.mean([(np.sign(a) == np.sign(b)).mean() for a, b in measured])
    return float(rank), float(same)


def intervals(found: np.ndarray) -> dict[str, tuple[float, float]]:
    """95 % of 500 bootstraps over variants: the difference by averaging over that by one window."""
    rng = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {"halves": [], "10 bp": []}
    for _ in range(500):
        row = [
            difference(m) for m in pairs(found[rng.integers(0, len(found), len(found))]).values()
        ]
        drawn["halves"].append(row[1] / row[0])
        drawn["10 bp"].append(row[3] / row[2])
    return {k: tuple(np.quantile(v, [0.025, 0.975])) for k, v in drawn.items()}  # type: ignore[misc]


def claim(folder: Path, letters: list[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """The table of reproducibility, and the effects by model."""
    lines = [
        "| model | compared | Spearman | difference / SD | same sign |",
        "|---|---|---|---|---|",
    ]
    ratios = ["| model | halves | 10 bp apart |", "|---|---|---|"]
    kept = {}
    for name in MODELS:
        kept[name] = found = effects(name, folder, letters)
        for title, measured in pairs(found).items():
            (rank, same), differ = agreement(measured), difference(measured)
            lines.append(f"| {name} | {title} | {rank:.3f} | {differ:.3f} | {same:.1%} |")
        rows = [difference(m) for m in pairs(found).values()]
        low_high = intervals(found)
        cells = [
            f"{ratio:.2f} ({low_high[k][0]:.2f} to {low_high[k][1]:.2f})"
            for k, ratio in (("halves", rows[1] / rows[0]), ("10 bp", rows[3] / rows[2]))
        ]
        ratios.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, "", RATIO, "", *ratios], kept


RATIO = (
    "How large the differences are after averaging, as a part of those between single windows, with"
    " the 95 % interval of 500 bootstraps over variants. Below 1, averaging helps:"
)


def speed(folder: Path, letters: list[str]) -> list[str]:
    """The table of times."""
    rng = np.random.default_rng(0)
    chromosome = "".join(rng.permutation(letters))
    (folder / "stitched.fa").write_text(f">chr1\n{chromosome}\n")
    lines = ["| variants | way | CPU seconds | per 100,000 |", "|---|---|---|---|"]
    for count in COUNTS:
        vcf = folder / f"{count}.vcf"
        write_vcf(vcf, chromosome, np.sort(rng.choice(len(chromosome), count, replace=False)), rng)
        start = time.process_time()
        run = VariantRun(MIXTURE, vcf, folder / str(count), genome=folder / "stitched.fa")
        with threads(1):
            for part in run.parts:
                part.do()
        run.merge({})
        lines.append(row(f"{count:,}", "`modelzoo.variants`", time.process_time() - start, count))
    with threads(1):
        lines.append(row(f"{ALONE:,}", "one window at a time", alone(run), ALONE))
        lines.append(row(f"{ALONE:,}", "64 windows at a time", alone(run, 64), ALONE))
    return lines


def row(first: str, way: str, seconds: float, count: int) -> str:
    return f"| {first} | {way} | {seconds:.1f} | {seconds * 1e5 / count / 60:.1f} min |"


def write_vcf(path: Path, chromosome: str, places: np.ndarray, rng: np.random.Generator) -> None:
    with open(path, "w") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for place in places:
            ref = chromosome[place]
            file.write(f"chr1\t{place + 1}\t.\t{ref}\t{substituted(ref, rng)}\t.\t.\t.\n")


def alone(run: VariantRun, rows: int = 1) -> float:
    """The time for windows x strands x alleles, so many at a time."""
    model = modelzoo.load(MIXTURE)
    start = time.process_time()
    with Genome(run.scoring.genome) as genome, torch.no_grad():
        for allele in islice(run.alleles, ALONE):
            stretches = one_hot(list(allele.stretches(genome, run.width, ALL)))
            windows = stretches.unfold(2, run.width, 1).permute(0, 2, 1, 3).flatten(0, 1)
            for batch in torch.cat([windows, reverse_complement(windows)]).split(rows):
                model(batch)
    return time.process_time() - start


def draw(kept: dict[str, np.ndarray]) -> None:
    """The effect by window of one variant; and two measurements 10 bp apart, averaged and not."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    strongest = int(np.argsort(kept[MIXTURE].mean(1))[len(kept[MIXTURE]) // 50])
    for name, found in kept.items():
        line = found[strongest]
        axes[0].plot(
            SHIFTS, line, marker="o", ms=3, lw=1, label=name.removesuffix("-arid3a-foxm1-gata3")
        )
    axes[0].set(xlabel="shift of the window", ylabel="ALT minus REF", title="one variant")
    axes[0].legend(fontsize=7, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.1))
    compared = pairs(kept[MODELS[-1]])
    furthest = 1.05 * max(abs(x).max() for title in list(compared)[2:] for x in compared[title][0])
    limits = (-furthest, furthest)
    for axis, title in zip(axes[1:], list(compared)[2:]):
        ((a, b),) = compared[title]
        axis.scatter(a, b, s=3, alpha=0.5, lw=0)
        axis.axline((0, 0), slope=1, color="0.6", lw=0.8)
        axis.set(xlabel="effect", ylabel="effect 10 bp away", title=title.partition(", ")[2])
        axis.set(xlim=limits, ylim=limits)
    figure.savefig(PICTURE, dpi=130)


TEXT = """# Variants, measured

`python benchmarks/variants.py` writes this file and `docs/images/variants.png`.

## Time

`{mixture}`, substitutions, N = {n}, windows of 101 bp, one thread, {version}; with
two processes on two cores each core does half of it. The genome is stitched from peaks that were
set aside when the models were trained. "One window at a time" and "64 windows at a time" run
{windows} windows x 2 strands x 2 alleles per variant. The last column is computed from the measured
one: nobody ran 100,000.

{times}

The model gives both strands the same output, which one check in float64 finds out, so the other
strand is left out. Windows of one allele share their convolutions.

## Are effects more reproducible?

{count:,} substitutions, each in the middle of a peak that was set aside ({peaks} of each factor).
Windows are {width} bp wide, so that all windows at shifts of up to 10 positions lie inside the real
peak of 101 bp; models that take 101 bp see N around them. Each row compares two measurements of the
same effects. For "10 bp apart" the windows lie 10 positions apart, as in a peak that was called 10
bp away; the two means over nine windows have no window in common.

{claim}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE / "VARIANTS.md")
    output = parser.parse_args().output
    found = peaks()
    chosen = [peak for factor in FACTORS for peak in found[factor][:PEAKS]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with threads(1):
            table, kept = claim(folder, chosen)
        draw(kept)
        times = speed(folder, [peak for factor in FACTORS for peak in found[factor]])
    text = TEXT.format(
        mixture=MIXTURE,
        n=ALL,
        version=f"torch {torch.__version__}",
        windows=2 * ALL + 1,
        times="\n".join(times),
        count=len(chosen),
        peaks=PEAKS,
        width=WIDTH,
        claim="\n".join(table),
    )
    output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
