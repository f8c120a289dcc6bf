"""all-MiniLM-L6-v2 with NumPy alone: PyTorch would be a hundred times as large as the model.

Runs in the environment of `ranking.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TOKENS = 256
"""The model was trained with this length; the rest of a longer text is not read."""


class MiniLM:
    """Sentence vectors: the mean over the tokens of the last of six BERT layers."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the model as Hugging Face lays it out."""
        config = json.loads(Path(folder, "config.json").read_text("utf-8"))
        self._layers: int = config["num_hidden_layers"]
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._weights = load_file(Path(folder, "model.safetensors"))
        self._tokenizer = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def vectors(self, texts: Sequence[str]) -> Any:
        """One vector of length 1 a text, as rows of an array of shape (texts, 384)."""
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Any:
        ids = self._tokenizer.encode(text).ids
        of = self._weights
        hidden = of["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + of["embeddings.position_embeddings.weight"][: len(ids)]
        hidden = hidden + of["embeddings.token_type_embeddings.weight"][0]
        hidden = self._normed(hidden, "embeddings.LayerNorm")
        for number in range(self._layers):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        mean = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, hidden: Any, name: str) -> Any:
        attended = self._linear(self._attention(hidden, name), f"{name}.attention.output.dense")
        hidden = self._normed(hidden + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(hidden, f"{name}.intermediate.dense"))
        fed = self._linear(inner, f"{name}.output.dense")
        return self._normed(hidden + fed, f"{name}.output.LayerNorm")

    def _attention(self, hidden: Any, name: str) -> Any:
        query, key, value = (
            self._by_head(self._linear(hidden, f"{name}.attention.self.{part}"))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return (shares @ value).transpose(1, 0, 2).reshape(hidden.shape)

    def _by_head(self, hidden: Any) -> Any:
        return hidden.reshape(len(hidden), self._heads, -1).transpose(1, 0, 2)

    def _linear(self, hidden: Any, name: str) -> Any:
        return hidden @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normed(self, hidden: Any, name: str) -> Any:
        mean = hidden.mean(axis=-1, keepdims=True)
        spread = np.sqrt(hidden.var(axis=-1, keepdims=True) + self._epsilon)
        normed = (hidden - mean) / spread
        return normed * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1.0 + _erf(x / np.sqrt(2.0)))


def _erf(x: Any) -> Any:
    """Abramowitz and Stegun 7.1.26; its error is below 1.5e-7."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    factors = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    sum_ = np.zeros_like(x)
    for factor in factors:
        sum_ = (sum_ + factor) * t
    return np.sign(x) * (1.0 - sum_ * np.exp(-x * x))
