"""Fine-tunes a LoRA adapter on a base by trl's SFTTrainer: the loss counts on the answers alone.

The trainer writes nothing but the adapter: no saved steps, no logs, no model card.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InputError
from train.data import Examples
from train.outcome import Trained
from train.recipe import SftKeys
from train.steady import device_name, steady


def sft(keys: SftKeys, examples: Examples, base: Path, into: Path, step: Callable[[int, int], None]) -> Trained:
    """Train on the base in the folder `base` and save the adapter in `into`. `step` gets steps done and planned."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with steady(keys.seed, keys.threads), tempfile.TemporaryDirectory() as scratch:
        model = AutoModelForCausalLM.from_pretrained(str(base), use_safetensors=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(str(base), trust_remote_code=False)
        if tokenizer.chat_template is None:
            raise InputError(f"{base}: its tokenizer has no chat template; name a base that was made for chats")
        trainer = _trainer(keys, model, tokenizer, examples, scratch, step)
        trainer.train()
        trainer.model.save_pretrained(str(into))
        state, used = trainer.state, len(trainer.train_dataset)
    _tidy(into, base)
    history = tuple({"step": row["step"], "loss": row["loss"]} for row in state.log_history if "loss" in row)
    return Trained(
        steps=state.global_step,
        planned=state.max_steps,
        examples=used,
        epochs=float(state.epoch),
        history=history,
        device=device_name(keys.device),
    )


def _trainer(
    keys: SftKeys, model: Any, tokenizer: Any, examples: Examples, scratch: str, step: Callable[[int, int], None]
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl import SFTTrainer

    lora = LoraConfig(
        r=keys.lora.rank,
        lora_alpha=keys.lora.alpha,
        lora_dropout=keys.lora.dropout,
        target_modules=keys.lora.target_modules,
        task_type="CAUSAL_LM",
    )
    trainer = SFTTrainer(
        model=model,
        args=_arguments(keys, scratch),
        train_dataset=Dataset.from_list([_row(row.prompt, row.answer) for row in examples.rows]),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[_reporter(step)],
    )
    # It prints every log line to standard output, which is the figures' alone.
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(keys: SftKeys, scratch: str) -> Any:
    from trl import SFTConfig

    plan, device = keys.training, device_name(keys.device)
    return SFTConfig(
        output_dir=scratch,
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        weight_decay=plan.weight_decay,
        max_length=plan.max_length,
        seed=keys.seed,
        data_seed=keys.seed,
        use_cpu=device == "cpu",
        # On a CPU these two defaults make training several times slower.
        bf16=device == "cuda",
        gradient_checkpointing=device == "cuda",
        completion_only_loss=True,
        save_strategy="no",
        logging_steps=10,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
    )


def _row(prompt: Any, answer: str) -> Mapping[str, Any]:
    return {
        "prompt": [{"role": message.role, "content": message.content} for message in prompt],
        "completion": [{"role": "assistant", "content": answer}],
    }


def _reporter(step: Callable[[int, int], None]) -> Any:
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc]
        """Passes every finished step on."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step(state.global_step, state.max_steps)

    return Reporter()


def _tidy(into: Path, base: Path) -> None:
    """Leave the adapter alone in its folder, its config the same whatever the path or the order of a set."""
    (into / "README.md").unlink(missing_ok=True)
    file = into / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.name
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
