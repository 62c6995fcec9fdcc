"""The anchored trainer beside trl's own, on a small Llama that really trains."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer, CohereConfig, Gemma2Config, PrinterCallback
from trl import SFTConfig, SFTTrainer

from harness.errors import InputError
from tests import tiny
from train.anchor import divergence
from train.anchored import AnchorKeys, AnchorSettings, anchored_trainer
from train.steady import quiet

STEPS = 20
Row = dict[str, list[int]]


@pytest.fixture(scope="module", autouse=True)
def calm() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with quiet():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def examples(n: int = 160, seed: int = 0, longest: int = 40) -> list[Row]:
    """Rows of random tokens; the loss counts from somewhere in the middle on."""
    draw = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n):
        length = int(torch.randint(6, longest, (1,), generator=draw))
        prompt = int(torch.randint(1, length - 2, (1,), generator=draw))
        tokens = torch.randint(5, 40, (length,), generator=draw).tolist()
        found.append({"input_ids": tokens, "labels": [-100] * prompt + tokens[prompt:]})
    return found


def trainer(
    model: Any,
    tokenizer: Path,
    anchor: AnchorSettings | None = None,
    *,
    lora: bool = True,
    dropout: float = 0.0,
    **keys: Any,
) -> Any:
    """SFTTrainer itself where there is no anchor."""
    kind, extra = (SFTTrainer, {}) if anchor is None else (anchored_trainer(), {"anchor": anchor})
    settings = {
        "max_steps": STEPS,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "max_length": 64,
        "seed": 3,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "output_dir": str(tokenizer / "scratch"),
    }
    made = kind(
        model=model if not isinstance(model, Path) else AutoModelForCausalLM.from_pretrained(model),
        args=SFTConfig(**(settings | keys)),
        train_dataset=Dataset.from_list(examples()),
        processing_class=AutoTokenizer.from_pretrained(tokenizer),
        peft_config=LoraConfig(
            r=4, lora_alpha=8, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        if lora
        else None,
        **extra,
    )
    made.remove_callback(PrinterCallback)
    return made


def trained(base: Path, anchor: AnchorSettings | None = None, **keys: Any) -> Any:
    made = trainer(base, base, anchor, **keys)
    made.train()
    return made


def logged(made: Any, name: str = "loss") -> list[float]:
    return [row[name] for row in made.state.log_history if name in row]


def weights(made: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in made.model.named_parameters() if value.requires_grad}


def same(a: Any, b: Any) -> bool:
    ours, theirs = weights(a), weights(b)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def apart(made: Any, base: Path, tail: int | None = None) -> float:
    """KL(base ‖ student) a counted token over the examples, by whole logits and torch's own distributions."""
    frozen, student = AutoModelForCausalLM.from_pretrained(base).eval(), made.model.eval()
    values: list[torch.Tensor] = []
    with torch.no_grad():
        for row in examples():
            ids, places = (
                torch.tensor([row["input_ids"]]),
                [at for at, label in enumerate(row["labels"]) if label != -100],
            )
            before = [at - 1 for at in places if at > 0][-(tail or len(places)) :]
            ours, theirs = (
                torch.distributions.Categorical(logits=model(input_ids=ids).logits[0, before].double())
                for model in (student, frozen)
            )
            values.append(torch.distributions.kl_divergence(theirs, ours))
    return torch.cat(values).mean().item()


@contextmanager
def passes(made: Any) -> Iterator[list[bool]]:
    """Every pass through the backbone: whether it kept what a gradient needs."""
    seen: list[bool] = []
    backbone = made.model.get_base_model().base_model
    handle = backbone.register_forward_pre_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    yield seen
    handle.remove()


def test_without_an_anchor_the_losses_are_trls(base: Path) -> None:
    plain, late = trained(base), trained(base, AnchorSettings(coef=1.0, start_step=STEPS))
    assert logged(late) == pytest.approx(logged(plain), abs=1e-5)
    assert len(logged(plain)) == STEPS and logged(plain)[-1] < logged(plain)[0]


@pytest.mark.chaos
def test_a_coefficient_of_0_changes_no_bit_and_asks_no_base(base: Path) -> None:
    plain, off = trained(base, dropout=0.3), trainer(base, base, AnchorSettings(coef=0.0), dropout=0.3)
    with passes(off) as seen:
        off.train()
    assert logged(off) == logged(plain)
    assert same(off, plain)
    assert seen == [True] * STEPS


def test_the_base_is_asked_from_the_start_step_on(base: Path) -> None:
    made = trainer(base, base, AnchorSettings(coef=0.1, start_step=2, warmup_steps=2), max_steps=5)
    with passes(made) as seen:
        made.train()
    # At its start step the warm-up still stands at 0.
    assert seen == [True] * 3 + [False, True] * 2
    assert logged(made, "anchor_coef") == pytest.approx([0, 0, 0, 0.05, 0.1])
    assert len(logged(made, "anchor")) == 2


@pytest.mark.chaos
def test_the_anchor_holds_the_student_near_the_base(base: Path) -> None:
    free, held, firm = trained(base), *(trained(base, AnchorSettings(coef=coef)) for coef in (2.0, 20.0))
    drifts = [apart(made, base) for made in (free, held, firm)]
    assert drifts[0] > drifts[1] > drifts[2]
    assert drifts[2] < drifts[0] / 5


@pytest.mark.parametrize("tail", [3, pytest.param(None, marks=pytest.mark.chaos)])
def test_the_loss_is_trls_and_the_anchor(base: Path, tmp_path: Path, tail: int | None) -> None:
    """One step from weights that have drifted, against whole logits and torch's own distributions."""
    trained(base).model.save_pretrained(tmp_path)

    def drifted() -> Any:
        return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path, is_trainable=True)

    keys = {"lora": False, "max_steps": 1, "per_device_train_batch_size": 160}
    plain = trainer(drifted(), base, **keys)
    held = trainer(drifted(), base, AnchorSettings(coef=0.7, tail_tokens=tail), **keys)
    expected = apart(held, base, tail)
    plain.train()
    held.train()
    assert expected > 0.01
    assert logged(held, "anchor")[0] == pytest.approx(expected, abs=1e-5)
    assert logged(held)[0] == pytest.approx(logged(plain)[0] + 0.7 * expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["kl", *(pytest.param(kind, marks=pytest.mark.chaos) for kind in ("kl_rev", "js"))])
def test_one_batch_of_8_is_eight_of_1(base: Path, kind: Any) -> None:
    anchor = AnchorSettings(type=kind, coef=0.5, tail_tokens=4, warmup_steps=5, decay="linear")
    whole = trained(base, anchor)
    parts = trained(base, anchor, per_device_train_batch_size=1, gradient_accumulation_steps=8)
    assert logged(parts) == pytest.approx(logged(whole), abs=1e-4)
    assert logged(parts, "anchor") == pytest.approx(logged(whole, "anchor"), abs=1e-4)
    ours, theirs = weights(parts), weights(whole)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)


@pytest.mark.chaos
def test_the_base_has_no_dropout_and_the_student_keeps_its_own(base: Path) -> None:
    made = trainer(base, base, AnchorSettings(coef=1e-9), dropout=0.5, max_steps=1)
    plain = trained(base, dropout=0.5, max_steps=1)
    made.train()
    # The adapter starts as nothing, so that student and base agree, and the base drew no random number.
    assert logged(made, "anchor")[0] == pytest.approx(0, abs=1e-6)
    assert logged(made)[0] == pytest.approx(logged(plain)[0], abs=1e-6)
    assert all(module.training for module in made.model.modules())


@pytest.mark.chaos
def test_a_frozen_copy_serves_a_full_fine_tuning(base: Path) -> None:
    rate = {"lora": False, "learning_rate": 0.003}
    free, held = trained(base, **rate), trained(base, AnchorSettings(coef=5.0), **rate)
    assert logged(held, "anchor")[0] == pytest.approx(0, abs=1e-6)
    assert apart(held, base) < apart(free, base) / 2
    off = trained(base, AnchorSettings(coef=0.0), **rate)
    assert same(off, free)


def test_an_evaluation_counts_no_anchor(base: Path) -> None:
    made = trained(base, AnchorSettings(coef=5.0), max_steps=3)
    plain = trainer(made.model, base, lora=False)
    rows = Dataset.from_list(examples(16))
    found, expected = (each.evaluate(rows)["eval_loss"] for each in (made, plain))
    assert found == expected


@pytest.mark.chaos
def test_gradient_checkpointing_changes_nothing(base: Path) -> None:
    anchor = AnchorSettings(coef=0.5)
    kept, again = (trained(base, anchor, gradient_checkpointing=flag, max_steps=5) for flag in (False, True))
    assert logged(again) == pytest.approx(logged(kept), abs=1e-6)


@pytest.mark.chaos
def test_sixteen_bits_under_autocast(base: Path) -> None:
    anchor = AnchorSettings(coef=0.5, tail_tokens=8)
    single, half = trained(base, anchor, max_steps=5), trained(base, anchor, max_steps=5, bf16=True)
    assert logged(half, "anchor")[0] == pytest.approx(0, abs=1e-6)
    assert logged(half) == pytest.approx(logged(single), abs=0.05)
    assert logged(half, "anchor") == pytest.approx(logged(single, "anchor"), rel=0.1, abs=1e-4)


@pytest.mark.chaos
def test_packed_sequences_each_have_their_tail(base: Path) -> None:
    anchor, keys = AnchorSettings(coef=0.5, tail_tokens=3), {"max_steps": 5, "dataset_kwargs": None, "max_length": None}
    padded = trained(base, anchor, **keys)
    packed = trained(base, anchor, **keys, padding_free=True)
    assert logged(packed, "anchor") == pytest.approx(logged(padded, "anchor"), abs=1e-4)
    assert logged(packed) == pytest.approx(logged(padded), abs=1e-4)


def other(tokenizer: Path, config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 1,
    "bos_token_id": None,
    "eos_token_id": 0,
}


@pytest.mark.chaos
def test_a_soft_cap_on_the_logits_is_part_of_them(base: Path) -> None:
    model = other(base, Gemma2Config(**SMALL, final_logit_softcapping=0.5, attn_implementation="eager"))
    frozen = copy.deepcopy(model)
    made = trainer(model, base, AnchorSettings(coef=0.1), max_steps=2, per_device_train_batch_size=160)
    made.train()
    assert logged(made, "anchor")[0] == pytest.approx(0, abs=1e-6)
    student = made.model.eval()
    row = torch.tensor([examples(1)[0]["input_ids"]])
    counted = torch.ones_like(row[:, 1:]).bool()
    with torch.no_grad():
        expected = divergence(student(row).logits[0, :-1], frozen.eval()(row).logits[0, :-1], "kl").sum()
        theirs, head = made._of_base({"input_ids": row}, counted)
        ours = student.get_base_model().base_model(row).last_hidden_state[:, :-1][counted]
        assert made._drift(ours, theirs, head).item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_model_that_scales_its_logits_is_refused(base: Path) -> None:
    model = other(base, CohereConfig(**{k: v for k, v in SMALL.items() if k != "head_dim"}, logit_scale=0.0625))
    with pytest.raises(InputError, match="logits of CohereForCausalLM are more than a linear head"):
        trainer(model, base, AnchorSettings(coef=0.1))


def test_the_keys_of_a_recipe(base: Path) -> None:
    keys = AnchorKeys.model_validate(
        {"type": "js", "coef": 0.03, "start_step": 200, "warmup_steps": 300, "tail_tokens": 128}
    )
    assert keys.settings() == AnchorSettings(type="js", coef=0.03, start_step=200, warmup_steps=300, tail_tokens=128)
    assert asdict(AnchorKeys(coef=1).settings()) == asdict(AnchorSettings(coef=1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"coef": -0.1},
        {"coef": float("inf")},
        {"coef": 0.1, "type": "mse"},
        {"coef": 0.1, "start_step": -1},
        {"coef": 0.1, "warmup_steps": 1.5},
        {"coef": 0.1, "decay": "sqrt"},
        {"coef": 0.1, "tail_tokens": 0},
        {"coef": 0.1, "limit_seq": 128},
    ],
)
def test_other_keys_and_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnchorKeys.model_validate(wrong)


def test_reading_the_keys_loads_no_torch() -> None:
    program = "import sys, train.anchored; sys.exit('torch' in sys.modules or 'trl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
