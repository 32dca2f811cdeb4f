"""A small genome with variants of every kind, and their effects by cutting strings."""

import numpy as np
import torch
from torch import nn

from modelzoo.sequences import one_hot, reverse_complement

WIDTH, MAX_SHIFT = 21, 3
_rng = np.random.default_rng(3)
GENOME = {
    name: "".join(_rng.choice(list("ACGT"), size)) for name, size in (("chr1", 300), ("chr2", 40))
}
HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

KINDS = {
    "SNV": ("chr1", 100, 1, "G"),
    "several letters": ("chr1", 120, 3, "GAT"),
    "insertion": ("chr1", 140, 1, GENOME["chr1"][139] + "ACGTA"),
    "deletion": ("chr1", 160, 6, GENOME["chr1"][159]),
    "both": ("chr1", 180, 4, "TTTTTTT"),
    "at the start": ("chr2", 1, 1, "T" if GENOME["chr2"][0] != "T" else "A"),
    "at the end": ("chr2", 40, 1, "T" if GENOME["chr2"][39] != "T" else "A"),
    "deletion at the end": ("chr2", 36, 5, GENOME["chr2"][35]),
}


class Network(nn.Module):
    """Sees where in the window a letter is, and which strand it is on."""

    tasks = ("one", "two")

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.head = nn.Conv1d(4, 6, 5, padding=2), nn.Linear(6 * WIDTH, 2)
        self.eval()

    def forward(self, x):
        return self.head(self.conv(x).relu().flatten(1))


class Symmetric(nn.Module):
    """Does not see which strand a letter is on, but where it is."""

    tasks = ("one", "two")

    def __init__(self):
        super().__init__()
        self.inner = Network()
        self.eval()

    def forward(self, x):
        return self.inner(x) + self.inner(reverse_complement(x))


def genome(folder):
    """Write the genome and return its path."""
    path = folder / "genome.fa"
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in GENOME.items()))
    return path


def vcf(folder, *rows, name="calls.vcf"):
    """Write a VCF file of (chrom, pos, ref, alt), and return its path.

    Where `ref` is a number, it is as many letters of the genome.
    """
    lines = []
    for chrom, pos, ref, alt in rows:
        there = GENOME[chrom][pos - 1 : pos - 1 + ref] if isinstance(ref, int) else ref
        lines.append(f"{chrom}\t{pos}\t.\t{there}\t{alt}\t.\t.\t.\n")
    path = folder / name
    path.write_text(HEAD + "".join(lines))
    return path


def cut(letters, start, width):
    """Return a window of a chromosome, with N beyond it."""
    return "".join(
        letters[i] if 0 <= i < len(letters) else "N" for i in range(start, start + width)
    )


def by_hand(model, chrom, pos, ref, alt, width=WIDTH, max_shift=MAX_SHIFT):
    """Return outputs in every window, on both strands, with REF and with ALT: (2N+1, 2, tasks)."""
    before, after = GENOME[chrom][: pos - 1], GENOME[chrom][pos - 1 + len(ref) :]
    found = []
    for n in range(-max_shift, max_shift + 1):
        start = pos - 1 - (width // 2 - max(len(ref), len(alt)) // 2) - n
        windows = [cut(before + allele + after, start, width) for allele in (ref, alt)]
        x = one_hot(windows).double()
        with torch.no_grad():
            both = [model.double()(strand) for strand in (x, reverse_complement(x))]
        found.append(torch.stack(both))  # (strands, alleles, tasks)
    model.float()
    return torch.stack(found).transpose(1, 2).numpy()  # (windows, alleles, strands, tasks)


def made(folder):
    """Return the bytes of the files that a run leaves."""
    names = ("effects.tsv", "effects.parquet", "effects.vcf.gz")
    return {name: (folder / name).read_bytes() for name in names}
