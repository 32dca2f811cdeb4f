"""Effects of the variants of a VCF file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from modelzoo import workers
from modelzoo.apply.variant_maps import write_maps
from modelzoo.apply.variant_run import VariantRun
from modelzoo.errors import working
from modelzoo.sequences import Reject, refuse

if TYPE_CHECKING:
    from pandas import DataFrame


def variants(
    model: str | Path | nn.Module,
    vcf: str | Path,
    output: str | Path,
    *,
    genome: str | Path,
    tasks: Sequence[str | int] | None = None,
    max_shift: int = 5,
    width: int | None = None,
    attributions: bool = False,
    about: Mapping[str, str] | None = None,
    device: str | None = None,
    processes: int | None = 1,
    engine: workers.Engine | None = None,
    progress: bool = False,
    overwrite: bool = False,
    reject: Reject = refuse,
) -> DataFrame:
    r"""Score the variants of a VCF file; write and return a table with a row per allele.

    Every window of `width` positions that holds a variant at most `max_shift` positions from its
    middle is predicted with REF and with ALT, read from both strands; the second strand is left out
    where the model gives both the same. The effect is the mean over windows of ALT minus REF.

    Writes `effects.tsv`, `effects.parquet` and `effects.vcf.gz`, a copy of the VCF file, with the
    same numbers in INFO. Called again after a kill, it goes on where it was: the folder `parts`
    holds what is done.

    The columns are `chrom`, `pos` (from 1), `id`, `ref`, `alt`, `windows` (how many were averaged
    over, of one strand), and for every task, with its name behind if there are several:

    - `ref_output`, `alt_output`: the means over windows of the model's outputs, for models of the
      zoo logits.
    - `effect`: their difference, `alt_output` - `ref_output`.
    - `spread`: the standard deviation of the windows' effects around their mean.
    - `z`: `effect` / `spread`; empty where the windows agree up to rounding. Windows overlap, so
      this is no test statistic: |z| says how far the windows agree that there is an effect.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`.
        vcf: A VCF file, plain, gzipped or bgzipped. Alleles that are not letters (`<DEL>`, `*`,
            breakends), whose REF is not in the genome, or that no window holds, are rejected.
        output: The folder to write; made if need be.
        genome: The genome, in FASTA (plain or bgzipped) or 2bit. Beyond a chromosome it is N.
        tasks: Names or numbers of the outputs; all by default.
        max_shift: N: windows have the variant up to N positions off their middle.
        width: Of a window; by default the length that a model of the catalog was trained on.
        attributions: Whether to attribute both alleles too, see `variant_maps.write_maps`.
        about: What is to be said of the run in the files, such as the command.
        device: Where the model runs; where it is, by default.
        processes: How many to work in; None is one per core.
        engine: Does the parts instead, see `modelzoo.workers.run`.
        progress: Whether to show a bar.
        overwrite: Start anew where `output` holds another run.
        reject: Called with what is wrong with an allele, which is left out if it returns.

    Raises:
        ValueError: An argument does not fit, or the folder holds another run.
        LookupError: Genome and VCF name the chromosomes differently (`1` and `chr1`).

    Example:
        >>> import modelzoo, tempfile
        >>> from pathlib import Path
        >>> head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     genome, vcf = Path(folder, "genome.fa"), Path(folder, "calls.vcf")
        ...     _ = genome.write_text(">chr1\n" + 9 * "CCGGT" + "AGATAAG" + 9 * "CCGGT" + "\n")
        ...     _ = vcf.write_text(head + "chr1\t48\t.\tA\tC\t.\t.\t.\n")
        ...     table = modelzoo.variants("deepbind-gata3", vcf, folder + "/out", genome=genome)
        >>> bool(table.effect[0] < 0), int(table.windows[0])
        (True, 11)
    """
    run = VariantRun(
        model,
        vcf,
        output,
        genome=genome,
        tasks=tasks,
        max_shift=max_shift,
        width=width,
        device=device,
        overwrite=overwrite,
        reject=reject,
    )
    with working(), workers.alone(run.folder):
        workers.run(
            run.parts,
            workers=processes,
            engine=engine,
            description="scoring variants",
            progress=progress,
        )
        table = run.merge(about or {})
        if attributions:
            write_maps(run, overwrite)
    return table
