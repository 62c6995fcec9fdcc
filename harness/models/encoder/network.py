"""An encoder with heads on it: one text or a pair in, the logits of every head out. Imports torch: import it late."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.encoder.form import Form
from harness.models.encoder.pooling import Pooling

ENCODER = "encoder."


class Head(nn.Sequential):
    """Dropout and a linear layer, `depth` times, with GELU between."""

    def __init__(self, width_in: int, outputs: int, *, depth: int, width: int | None, dropout: float) -> None:
        inner = width or width_in
        widths = [width_in, *[inner] * (depth - 1), outputs]
        parts: list[nn.Module] = []
        for place, (before, after) in enumerate(itertools.pairwise(widths)):
            parts += [nn.GELU()] if place else []
            parts += [nn.Dropout(dropout), nn.Linear(before, after)]
        super().__init__(*parts)


class EncoderClassifier(nn.Module):
    """A transformers encoder, a pooling, and heads in the order of the form.

    New weights (pooling, heads) are drawn from torch's generator as it stands.
    """

    def __init__(self, encoder: Any, form: Form) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.form = form
        self.encoder = encoder
        self.pooling = Pooling(form.pooling, width)
        self.heads = nn.ModuleList(
            Head(width, form.outputs(head), depth=form.depth, width=form.width, dropout=form.dropout)
            for head in form.heads
        )
        takes = inspect.signature(encoder.forward).parameters
        self._takes_types = "token_type_ids" in takes
        # A language model would keep every layer's keys and values for a next token that never comes.
        self._always = {"use_cache": False} if "use_cache" in takes else {}

    @property
    def config(self) -> Any:
        """The encoder's config."""
        return self.encoder.config

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The logits of each head: (batch, labels).

        Inputs are (batch, tokens); for multiple choice (batch, options, tokens), and the logits (batch, options).
        """
        if not self.form.choices:
            pooled = self._pooled(input_ids, attention_mask, token_type_ids)
            return tuple(head(pooled) for head in self.heads)
        rows, options, tokens = input_ids.shape
        flat = [given if given is None else given.reshape(-1, tokens) for given in (attention_mask, token_type_ids)]
        assert flat[0] is not None
        pooled = self._pooled(input_ids.reshape(-1, tokens), flat[0], flat[1])
        return (self.heads[0](pooled).reshape(rows, options),)

    def _pooled(self, ids: Tensor, mask: Tensor, types: Tensor | None) -> Tensor:
        more = {**self._always, **({"token_type_ids": types} if self._takes_types and types is not None else {})}
        told = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=self.pooling.needs_layers, **more)
        layers = told.hidden_states[1:] if self.pooling.needs_layers else ()
        pooled: Tensor = self.pooling(told.last_hidden_state, mask, layers)
        return pooled

    def keep_fewer_activations(self) -> None:
        """Have the encoder's layers compute their activations again for the gradient."""
        self.encoder.gradient_checkpointing_enable({"use_reentrant": False})

    def above(self) -> dict[str, Tensor]:
        """The weights that are not the encoder's, by name: those of pooling and heads."""
        return {name: weight for name, weight in self.state_dict().items() if not name.startswith(ENCODER)}
