"""LayerShiftSmooth: the same average for an embedding, or any layer that keeps the sequence."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from captum.attr import LayerAttribution
from captum.log import log_usage
from torch import Tensor
from torch.nn import Embedding, Module

from .arguments import Arguments, Dim, Target, Tensors, check_model
from .chunks import Chunks
from .gradients import Gradients, checked_share
from .reductions import reduction_of
from .sharing import Share, Sharing
from .shifts import Shifts
from .steps import LayerGradient, Step


class LayerShiftSmooth(LayerAttribution):
    r"""Averages a layer's gradient over small shifts of the model's input, each shifted back.

    Token ids have no gradient, but their embeddings do: explain a token model at its embedding
    layer. The layer must keep a sequence dimension as long as the input's, so take one before the
    pooling.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: Module,
        device_ids: list[int] | None = None,
        share: Share | None = None,
    ) -> None:
        """Set up the attribution of a layer.

        Args:
            forward_func: The model, or a function that runs it.
            layer: The layer inside it.
            device_ids: For a DataParallel model given as a function: its devices, in order.
            share: Whether shifts share what they have in common, as for `ShiftSmooth`. It is
                possible for an embedding of tokens (B, L).
        """
        check_model("forward_func", forward_func)
        _check_layer(layer, forward_func)
        super().__init__(forward_func, layer, device_ids)
        self.chunks = Chunks()
        self._gradients = Gradients(checked_share(share), self.chunks)
        self._from_embedding = partial(_from_embedding, forward_func, layer)

    @log_usage(part_of_slo=True)
    def attribute(
        self,
        inputs: Tensor | Tensors,
        target: Target = None,
        additional_forward_args: object = None,
        *,
        max_shift: int | None = None,
        shifts: Iterable[int] | None = None,
        dim: Dim = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] | None = None,
        edges: str = "circular",
        reduction: str = "mean",
        abs: bool = False,
        layer_dim: int | tuple[int, ...] | None = None,
        shifts_per_eval: int | None = None,
        show_progress: bool = False,
        attribute_to_layer_input: bool = False,
    ) -> Tensor | Tensors:
        r"""Attribute the output of the model to a layer, averaged over shifts.

        The arguments are those of `ShiftSmooth.attribute`, and `layer_dim` and
        `attribute_to_layer_input`.

        Args:
            inputs: The inputs; token ids are as good as floats here.
            target: The output to explain.
            additional_forward_args: Further arguments of the model.
            max_shift: The largest shift.
            shifts: Exactly these shifts.
            dim: The sequence dimension of the inputs; -1 for tokens (B, L).
            region: What is rolled; `(1, L - 1)` keeps [CLS] and [SEP] in place.
            roll_args: The arguments that are shifted too, such as an attention mask.
            edges: "circular" or "flanks".
            reduction: What is made of the gradients of all shifts.
            abs: Whether to reduce the absolute gradients.
            layer_dim: The sequence dimension of the layer's output, (B, L, H) or (B, H, L). None
                takes the one as long as the input's sequence. A tuple if `dim` names several.
            shifts_per_eval: The number of shifts at once.
            show_progress: Whether to show a bar that counts shifts.
            attribute_to_layer_input: Explain the layer's input, not its output.

        Returns:
            The smoothed gradient, shaped like the layer's output (or input): a tensor, or a tuple
            if the layer gives several.

        Examples::

            >>> # BERT: ids (B, L) with [CLS] first and [SEP] last, attention mask (B, L)
            >>> smooth = LayerShiftSmooth(model, model.bert.embeddings.word_embeddings)
            >>> attribution = smooth.attribute(
            ...     ids, target=1, additional_forward_args=mask, roll_args=(0,), region=(1, L - 1)
            ... )
        """
        moved = Shifts.of(max_shift, shifts, edges, region)
        call = Arguments.of(
            inputs, target, additional_forward_args, moved, dim, roll_args, shifts_per_eval
        )
        reduced = reduction_of(reduction, call.shifts)
        with torch.inference_mode(False), torch.enable_grad():
            plain = reduced.linear and not abs and not attribute_to_layer_input
            step = self._embedded(call, layer_dim) if plain else None
            step = step or self._gradient(call, layer_dim, attribute_to_layer_input, abs)
            self.chunks.run(step, reduced.add, show_progress)
        result = reduced.result(step.dims)
        return step.formatted(result) if isinstance(step, LayerGradient) else result[0]

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._gradients.sharing

    def _gradient(
        self, call: Arguments, layer_dim: Any, to_layer_input: bool, abs: bool
    ) -> LayerGradient:
        """The step of any layer, whose shifts share nothing."""
        return LayerGradient(
            call,
            self.forward_func,
            self.layer,
            layer_dim,
            to_layer_input=to_layer_input,
            device_ids=self.device_ids,
            abs=abs,
        )

    def _embedded(self, call: Arguments, layer_dim: Any) -> Step | None:
        """The step of an embedding layer whose shifts share work; None where they cannot.

        The embeddings of shifted tokens are the shifted embeddings, so the model is run from them.
        """
        layer, ids = self.layer, call.inputs[0]
        if (
            type(layer) is not Embedding
            or layer.max_norm is not None
            or len(call.inputs) != 1
            or ids.is_floating_point()
            or ids.dim() != 2
            or call.dims != ((-1,),)
            or layer_dim not in (None, 1, -2)
            or self.device_ids is not None
        ):
            self._gradients.not_shared("only embeddings of tokens (B, L) are shared")
            return None
        with torch.no_grad():
            embedded = layer(ids)
        inner = replace(
            call,
            inputs=(embedded,),
            is_tuple=False,
            dims=((-2,),),
            args=(ids, *call.args),
            arg_dims={0: (-1,), **{i + 1: dims for i, dims in call.arg_dims.items()}},
        )
        (step,) = self._gradients.steps([self._from_embedding], inner)
        return step if self.sharing is not None and self.sharing.shared else None


def _from_embedding(
    forward_func: Callable[..., Any], layer: Module, embedded: Tensor, ids: Tensor, *args: Any
) -> Any:
    """What the model gives where `layer` gives `embedded` for `ids`."""
    used = False

    def forward(given: Tensor) -> Tensor:
        nonlocal used
        if used or given is not ids:
            raise ValueError("layer: expected one call with the model's inputs, got another")
        used = True
        return embedded

    layer.forward = forward
    try:
        return forward_func(ids, *args)
    finally:
        del layer.forward


def _check_layer(layer: Any, forward_func: Any) -> None:
    if isinstance(layer, str):
        raise TypeError(
            f"layer: expected a module of the model, got {layer!r}: give "
            f"model.get_submodule({layer!r})"
        )
    if not isinstance(layer, Module):
        raise TypeError(f"layer: expected a module of the model, got {type(layer).__name__}")
    if isinstance(forward_func, Module) and all(layer is not m for m in forward_func.modules()):
        raise ValueError(
            f"layer: expected a module of the model, got a {type(layer).__name__} that is not in it"
        )
