"""Sharing on models that nobody here wrote, with random weights: the table of docs/sharing.md.

python benchmarks/third_party.py [--rounds 10] [NAME ...] runs each model whose package is installed
with and without sharing, and writes the table. Install the packages by
`pip install -c constraints.txt --no-deps NAME`: what some of them require beside it would replace
torch, and no model needs it.
"""

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from shiftsmooth import ShiftSmooth

ROUND = 0.1  # seconds: shorter calls are repeated
PAGE = Path(__file__).parents[1] / "docs" / "sharing.md"
START, END = "<!-- third-party models -->\n", "<!-- end -->\n"


class Output(nn.Module):
    """A model whose outputs, whatever they look like, are averaged to one."""

    def __init__(self, model: nn.Module, take: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.model, self.take = model, take

    def forward(self, x: Tensor) -> Tensor:
        with contextlib.redirect_stdout(io.StringIO()):  # one of them prints
            output = self.model(x) if self.take is None else self.take(self.model, x)
        return output.flatten(1).mean(1, keepdim=True)


def bpnet_lite() -> nn.Module:
    from bpnetlite import BPNet

    model = BPNet(n_filters=32, n_layers=6, n_control_tracks=0, trimming=100)
    return Output(model, lambda model, x: model(x)[1])


def chrombpnet() -> nn.Module:
    from bpnetlite import BPNet
    from bpnetlite.chrombpnet import ChromBPNet

    parts = [
        BPNet(n_filters=n, n_layers=4, n_outputs=1, n_control_tracks=0, trimming=100)
        for n in (16, 32)
    ]
    return Output(ChromBPNet(*parts), lambda model, x: model(x)[1])


def bpnet_pytorch() -> nn.Module:
    from bpnet_pytorch import BPNet

    return Output(BPNet(), lambda model, x: model(x)["total_count"])


def spliceai() -> nn.Module:
    from spliceai_pytorch import SpliceAI

    return Output(SpliceAI.from_preconfigured("80nt"))


def basenji2() -> nn.Module:
    from basenji2_pytorch import Basenji2, basenji2_params

    trunk = [dict(block) for block in basenji2_params["model"]["trunk"]]
    trunk[0]["filters"] = 48
    trunk[1].update(filters_init=48, repeat=3)
    trunk[2].update(filters=32, repeat=4)
    trunk[3]["cropping"] = 4
    trunk[4]["filters"] = 64
    head = {"name": "final", "units": 8, "activation": "softplus"}
    return Output(Basenji2({**basenji2_params["model"], "trunk": trunk, "head_human": head}))


def borzoi() -> nn.Module:
    from borzoi_pytorch import Borzoi
    from borzoi_pytorch.config_borzoi import BorzoiConfig

    options = {"depth": 1, "dim": 1536, "bins_to_return": 96}
    return Output(Borzoi(BorzoiConfig(**options)), lambda model, x: model(x)[:, :4, 40:44])


def tcn() -> nn.Module:
    from pytorch_tcn import TCN

    return Output(TCN(4, [32, 32, 32, 32], kernel_size=5, causal=False))


def tcn_causal() -> nn.Module:
    from pytorch_tcn import TCN

    return Output(TCN(4, [32, 32, 32, 32], kernel_size=5))


def grelu(name: str, **options: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from grelu.model import models

        return Output(getattr(models, name)(n_tasks=2, **options))

    return build


def enformer() -> nn.Module:
    from enformer_pytorch import Enformer

    model = Enformer.from_hparams(
        dim=384, depth=1, heads=2, output_heads={"human": 4}, target_length=-1
    )
    return Output(model, lambda model, x: model(x.transpose(1, 2))["human"])


def transformer(name: str, **options: object) -> Callable[[], nn.Module]:
    """A model of transformers on one-hot letters, which a convolution makes into tokens."""

    def build() -> nn.Module:
        import transformers

        config = getattr(transformers, f"{name}Config")(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            vocab_size=12,
            max_position_embeddings=128,
            **options,
        )
        model = nn.ModuleDict(
            {
                "tokens": nn.Conv1d(4, 32, 9, stride=4),
                "encoder": getattr(transformers, f"{name}Model")(config),
            }
        )

        def take(model: nn.ModuleDict, x: Tensor) -> Tensor:
            tokens = model["tokens"](x).transpose(1, 2)
            return model["encoder"](inputs_embeds=tokens).last_hidden_state[:, 0, :5]

        return Output(model, take)

    return build


@dataclass(frozen=True)
class Case:
    """A model and the batch that it runs on."""

    build: Callable[[], nn.Module]
    batch: int
    length: int


CASES = {
    "bpnet-lite BPNet": Case(bpnet_lite, 4, 1000),
    "bpnet-lite ChromBPNet": Case(chrombpnet, 4, 1000),
    "bpnet-pytorch BPNet": Case(bpnet_pytorch, 2, 1000),
    "spliceai-pytorch 80nt": Case(spliceai, 4, 600),
    "basenji2-pytorch, narrow": Case(basenji2, 2, 2048),
    "enformer-pytorch, narrow": Case(enformer, 2, 1024),
    "pytorch-tcn": Case(tcn, 4, 600),
    "pytorch-tcn, causal": Case(tcn_causal, 4, 600),
    "gReLU ConvModel": Case(grelu("ConvModel", final_pool_func="avg"), 8, 300),
    "gReLU DilatedConvModel": Case(grelu("DilatedConvModel", n_conv=6, crop_len=0), 4, 1000),
    "gReLU ConvGRUModel": Case(grelu("ConvGRUModel", final_pool_func="avg"), 4, 300),
    "gReLU ConvTransformerModel": Case(
        grelu("ConvTransformerModel", final_pool_func="avg"), 4, 300
    ),
    "gReLU ConvMLPModel": Case(grelu("ConvMLPModel", seq_len=300), 4, 300),
    "transformers BERT": Case(transformer("Bert"), 8, 300),
    "transformers RoFormer": Case(transformer("RoFormer"), 8, 300),
    "transformers ESM": Case(transformer("Esm", pad_token_id=1), 8, 300),
    "borzoi-pytorch, one layer": Case(borzoi, 1, 3200),
}


def both(forced: ShiftSmooth, model: nn.Module, x: Tensor) -> list[Tensor]:
    """Attributions with sharing and without."""
    ways = (forced, ShiftSmooth(model, share=False))
    return [smooth.attribute(x, 0, max_shift=3) for smooth in ways]


def seconds(smooth: ShiftSmooth, x: Tensor, calls: int) -> float:
    """Processor time per call."""
    start = time.process_time()
    for _ in range(calls):
        smooth.attribute(x, 0, max_shift=5)
    return (time.process_time() - start) / calls


def row(name: str, case: Case, rounds: int) -> list[str]:
    """One line of the table."""
    torch.manual_seed(0)
    model = case.build().eval()
    bases = torch.randint(4, (case.batch, case.length))
    x = nn.functional.one_hot(bases, 4).transpose(1, 2).float().contiguous()

    forced, one = ShiftSmooth(model, share=True), x[:1]
    try:
        found, wanted = both(forced, model.double(), one.double())
        other = wanted
    except RuntimeError:  # a model that converts to float32, where the size of a batch matters
        found, wanted = both(forced, model.float(), one)
        other = ShiftSmooth(model, share=False).attribute(one, 0, max_shift=3, shifts_per_eval=1)
    error, rounding = (float((x - wanted).norm() / wanted.norm()) for x in (found, other))
    model = model.float()
    ways = [ShiftSmooth(model, share=share) for share in ("auto", False)]
    firsts = [seconds(smooth, x, 1) for smooth in ways]
    calls = max(1, int(ROUND / seconds(ways[1], x, 1)))
    times = [[seconds(smooth, x, calls) for smooth in ways] for _ in range(rounds)]
    fastest = [min(column) for column in zip(*times)]
    first = firsts[0] / fastest[1]
    told, chosen = forced.sharing, ways[0].sharing
    assert told is not None and chosen is not None
    module = (told.ended_in or "").removeprefix("model").lstrip(".")
    where = f"`{told.ended_by}` in `{module or 'the model'}`" if told.ended_by else "the output"
    return [
        name,
        f"{case.batch} x {case.length}",
        f"{error:.0e}" + (f" ({rounding:.0e})" if rounding else ""),
        f"{told.saved:.0%}" if told.shared else "0 %",
        where if told.shared else f"not shared: {told.reason}",
        "yes" if chosen.shared else "no",
        f"{fastest[1] / fastest[0]:.2f}",
        f"{first:.1f}",
    ]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    head = ["model", "batch x length", "difference", "saved", "sharing ends at", '"auto" shares',
            "times faster", "first call / black box"]  # fmt: skip
    rows, missing = [head, ["---"] * len(head)], []
    for name in options.names or CASES:
        try:
            rows.append(row(name, CASES[name], options.rounds))
        except ImportError as error:
            missing.append(f"{name} ({error})")
        else:
            print(" | ".join(rows[-1]), flush=True)
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows) + "\n"
    if missing:
        table += f"\nNot installed: {', '.join(missing)}.\n"
    if options.names:
        return
    text = PAGE.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
