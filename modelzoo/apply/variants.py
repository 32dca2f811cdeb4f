"""Effects of the variants of a VCF file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from modelzoo.apply.inputs import Named
from modelzoo.apply.variant_maps import write_maps
from modelzoo.apply.variant_quality import variant_quality
from modelzoo.apply.variant_run import VariantRun
from modelzoo.attribution.quality import write_quality
from modelzoo.errors import working
from modelzoo.jobs import CELLS, Where
from modelzoo.sequences import Reject, refuse

if TYPE_CHECKING:
    from pandas import DataFrame


def variants(
    model: str | Path | nn.Module | Named,
    vcf: str | Path,
    output: str | Path,
    *,
    genome: str | Path,
    tasks: Sequence[str | int] | None = None,
    max_shift: int = 5,
    width: int | None = None,
    attributions: bool = False,
    quality: bool = True,
    about: Mapping[str, str] | None = None,
    device: str | None = None,
    where: Where | None = None,
    progress: bool = False,
    overwrite: bool = False,
    reject: Reject = refuse,
) -> DataFrame | None:
    r"""Score the variants of a VCF file; write and return a table with a row per allele.

    Every window of `width` positions that holds a variant at most `max_shift` positions from its
    middle is predicted with REF and with ALT, read from both strands; the second strand is left out
    where the model gives both the same. The effect is the mean over windows of ALT minus REF.

    Writes `effects.tsv`, `effects.parquet` and `effects.vcf.gz`, a copy of the VCF file, with the
    same numbers in INFO. Called again after a kill, it resumes: the folder `cells` holds the
    parts that are done.

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
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`; for parts, `Named`.
        vcf: A VCF file, plain, gzipped or bgzipped. Alleles that are not letters (`<DEL>`, `*`,
            breakends), whose REF is not in the genome, or that no window holds, are rejected.
        output: The folder to write; created if missing.
        genome: The genome, in FASTA (plain or bgzipped) or 2bit. Beyond a chromosome it is N.
        tasks: Names or numbers of the outputs; all by default.
        max_shift: N: windows have the variant up to N positions off their middle.
        width: Of a window; by default the length that a model of the catalog was trained on.
        attributions: Whether to attribute both alleles too, see `variant_maps.write_maps`.
        quality: Whether to write what the run says about itself, `quality.json`, from a sample
            that takes a tenth of the run's model evaluations at most.
        about: What is to be said of the run in the files, such as the command.
        device: Where the model runs; where it is, by default.
        where: Where the parts are done, by default in this process. Returns None for a job of many.
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
    count = score(
        run,
        attributions=attributions,
        quality=quality,
        about=about,
        where=where,
        progress=progress,
        overwrite=overwrite,
    )
    if count is None:
        return None
    import pandas

    return pandas.read_parquet(run.folder / "effects.parquet")


def score(
    run: VariantRun,
    *,
    attributions: bool = False,
    quality: bool = True,
    about: Mapping[str, str] | None = None,
    where: Where | None = None,
    progress: bool = False,
    overwrite: bool = False,
) -> int | None:
    """Do a run and write its files; return how many alleles the table has.

    Args:
        run: What is to be scored.
        attributions: See `variants`, as for the others.
        quality: Whether to write `quality.json`.
        about: What is to be said of the run in the files.
        where: Where the parts are done. Returns None for a job of many.
        progress: Whether to show a bar.
        overwrite: Start anew where the folder holds other attributions.
    """
    where = where or Where(workers=1)
    if run.on_gpu and not where.gpus:
        where = replace(where, workers=where.workers or 1)
    with working(), where.alone(run.folder):
        where.note(run.folder / CELLS)
        where.run(
            run.parts,
            description="scoring variants",
            progress=progress,
            begin_here=not run.on_gpu,
        )
        if where.part is not None:
            return None
        count = run.merge(about or {})
        write_quality(
            run.folder,
            variant_quality(run.scoring, run.alleles, run.finite(), run.numbers, run.tasks)
            if quality
            else None,
        )
        if attributions:
            write_maps(run, overwrite)
    return count
