"""LayerShiftSmooth: the same average for an embedding or any other layer that keeps a sequence."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from captum.attr import LayerAttribution
from captum.log import log_usage
from torch import Tensor
from torch.nn import Module

from . import _captum
from .batching import Chunks, accumulate
from .call import Offsets, ShiftedCall, Tensors
from .shifts import Dims, sequence_dims


class LayerShiftSmooth(LayerAttribution):
    r"""Averages a layer's gradient over small shifts of the model's input, each shifted back.

    Tokens have no gradient, but their embeddings do: explain a token model at its embedding layer.
    The layer must keep a sequence dimension as long as the input's: one before the pooling.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: Module,
        device_ids: list[int] | None = None,
    ) -> None:
        """
        Args:
            forward_func: The model, or a function that runs it.
            layer: The layer inside it.
            device_ids: For a DataParallel model given as a function: its devices, in order.
        """
        super().__init__(forward_func, layer, device_ids)
        self.chunks = Chunks()

    @log_usage(part_of_slo=True)
    def attribute(
        self,
        inputs: Tensor | Tensors,
        target: Any = None,
        additional_forward_args: object = None,
        *,
        max_shift: int = 5,
        shifts: Iterable[int] | None = None,
        dim: Any = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] = (),
        edges: str = "circular",
        reduction: str = "mean",
        abs: bool = False,
        layer_dim: int | tuple[int, ...] | None = None,
        shifts_per_eval: int | None = None,
        show_progress: bool = False,
        attribute_to_layer_input: bool = False,
    ) -> Tensor | Tensors:
        r"""
        Args:
            inputs: As for `ShiftSmooth.attribute`; token ids are as good as floats here.
            target: As for `ShiftSmooth.attribute`, and so what is not described here.
            additional_forward_args: See above.
            max_shift: See above.
            shifts: See above.
            dim: The sequence dimension of the inputs; -1 for tokens (B, L).
            region: See above; `(1, L - 1)` keeps [CLS] and [SEP] in place.
            roll_args: See above; the position of an attention mask, say.
            edges: See above.
            reduction: See above.
            abs: Average the absolute gradients.
            layer_dim: The sequence dimension of what the layer gives, (B, L, H) or (B, H, L). None
                takes the one as long as the input's sequence. A tuple if `dim` names several.
            shifts_per_eval: See above.
            show_progress: See above.
            attribute_to_layer_input: Explain what the layer takes, not what it gives.

        Returns:
            The smoothed gradient, shaped like what the layer gives (or takes): a tensor, or a tuple
            if the layer gives several.

        Examples::

            >>> # BERT: ids (B, L) with [CLS] first and [SEP] last, attention mask (B, L)
            >>> smooth = LayerShiftSmooth(model, model.bert.embeddings.word_embeddings)
            >>> attribution = smooth.attribute(
            ...     ids, target=1, additional_forward_args=mask, roll_args=(0,), region=(1, L - 1)
            ... )
        """
        call = ShiftedCall.of(
            inputs,
            target,
            additional_forward_args,
            max_shift=max_shift,
            shifts=shifts,
            dim=dim,
            region=region,
            roll_args=roll_args,
            edges=edges,
            reduction=reduction,
        )

        dims: tuple[Dims, ...] = ()
        dtypes: tuple[torch.dtype, ...] = ()

        def step(offsets: Offsets) -> Tensors:
            nonlocal dims, dtypes
            with call.explained(offsets):
                gradients = _captum.layer_gradients(
                    self.forward_func,
                    self.layer,
                    call.copies(call.inputs, offsets),
                    call.copied_target(offsets),
                    call.copied_args(offsets),
                    self.device_ids,
                    attribute_to_layer_input,
                )
            dims = tuple(
                _layer_dims(call, g, layer_dim, len(offsets) * call.batch) for g in gradients
            )
            dtypes = tuple(g.dtype for g in gradients)
            if abs:
                gradients = tuple(g.abs() for g in gradients)
            return call.sums(gradients, dims, offsets)

        with torch.inference_mode(False), torch.enable_grad():
            at_once = 1 if call.one_at_a_time else shifts_per_eval
            if at_once is None:
                at_once = self.chunks.choose(call, self.forward_func, None)
            totals = accumulate(
                step, call.shifts.offsets, at_once, shifts_per_eval is None, show_progress
            )
        attributions = call.reduce(totals, dims)
        return _captum.format_output(
            len(attributions) > 1, tuple(a.to(dtype) for a, dtype in zip(attributions, dtypes))
        )


def _layer_dims(call: ShiftedCall, gradient: Tensor, layer_dim: Any, rows: int) -> Dims:
    """The dimensions of a layer's `gradient` along which it is shifted back, from the end."""
    errors = []
    for x, dims in zip(call.inputs, call.dims):
        if not dims:
            continue
        try:
            return _found_dims(gradient, layer_dim, rows, call.shifts.shift(x, dims, 0), dims)
        except ValueError as error:  # the layer may belong to another input
            errors.append(error)
    if errors:
        raise errors[0]
    return ()


def _found_dims(gradient: Tensor, layer_dim: Any, rows: int, window: Tensor, dims: Dims) -> Dims:
    if layer_dim is None:
        name = "what the layer gives (name its sequence dimension with layer_dim, or a layer "
        name += "before the pooling)"
        return sequence_dims(name, gradient, rows, window, dims)
    places = layer_dim if isinstance(layer_dim, tuple) else (layer_dim,)
    lengths = [window.size(dim) for dim in dims]
    sizes = [gradient.size(p) if -gradient.dim() <= p < gradient.dim() else None for p in places]
    if sizes != lengths:
        raise ValueError(
            f"layer_dim={layer_dim}: expected the sequence's length {lengths} there, but what the "
            f"layer gives has shape {tuple(gradient.shape)}"
        )
    return tuple(p % gradient.dim() - gradient.dim() for p in places)
