"""Checkpoints of a few thousand random weights: real files that the real loading code opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Short templates in the manner of each family, and the marks they need.
TEMPLATES = {
    "llama": (
        "{{ '<|begin|>' }}{% for m in messages %}{{ '<|head|>' + m['role'] + '<|/head|>\n\n' + m['content'] | trim }}"
        "{{ '<|turn_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}"
    ),
    "qwen": (
        "{% if messages[0]['role'] != 'system' %}{{ '<|turn|>system\nYou cook.<|turn_end|>\n' }}{% endif %}"
        "{% for m in messages %}{{ '<|turn|>' + m['role'] + '\n' + m['content'] + '<|turn_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}"
    ),
    "gemma": (
        "{{ '<|begin|>' }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<|turn|>' + role + '\n' + m['content'] | trim + '<|turn_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|turn|>model\n' }}{% endif %}"
    ),
}
# A family's config and model in transformers, what its config needs beside the common sizes, and its template.
FAMILIES = {
    "llama": ("Llama", {}, "llama"),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}, "qwen"),
    "qwen3": ("Qwen3", {"head_dim": 8}, "qwen"),
    "gemma": ("Gemma", {"head_dim": 8}, "gemma"),
    "gemma2": ("Gemma2", {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}, "gemma"),
    "gemma3_text": ("Gemma3", {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}, "gemma"),
}
TEXTS = ["a soup with leeks and rice", "count from one to nine", "the pan is hot and the bread is brown"] * 8


def checkpoint(folder: Path, *, seed: int = 0, context: int = 256, chat: bool = True) -> Path:
    """A Llama of 2 layers and 32 dimensions with a byte-level BPE tokenizer, as save_pretrained writes it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    trained = byte_pairs(["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, eos_token="<|end|>", pad_token="<|pad|>", padding_side="left"
    )
    if chat:
        tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def adapter(folder: Path, base: Path, *, seed: int = 1) -> Path:
    """A LoRA adapter on a base, with weights that are not zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
        model.save_pretrained(folder)
    return folder


def family(folder: Path, name: str, *, seed: int = 0) -> Path:
    """A checkpoint of an architecture family, with random weights and a chat template in its manner."""
    import torch
    import transformers

    classes, more, template = FAMILIES[name]
    marks = ["<|begin|>", "<|turn|>", "<|turn_end|>", "<|head|>", "<|/head|>", "<|pad|>"]
    folder.mkdir(parents=True, exist_ok=True)
    trained = byte_pairs(marks)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token="<|begin|>", eos_token="<|turn_end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = TEMPLATES[template]
    tokenizer.save_pretrained(folder)
    kind = getattr(transformers, f"{classes}TextConfig" if name == "gemma3_text" else f"{classes}Config")
    config = kind(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        getattr(transformers, f"{classes}ForCausalLM")(config).save_pretrained(folder)
    return folder


def byte_pairs(marks: list[str]) -> Any:
    """A small byte-level BPE with these special tokens."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS, vocab_size=320, special_tokens=marks, show_progress=False)
    return trained._tokenizer


def reward(folder: Path, *, seed: int = 0, outputs: int = 1) -> Path:
    """A sequence-classification model with random weights and the same tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    checkpoint(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = LlamaConfig.from_pretrained(folder, num_labels=outputs, pad_token_id=tokenizer.pad_token_id)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(config)
        torch.nn.init.normal_(model.score.weight, std=3.0)
        model.save_pretrained(folder)
    return folder
