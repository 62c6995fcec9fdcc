"""The manifest of a training that left an index."""

from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Data, Manifest


def manifest(folder: Path, index_sha256: str | None) -> None:
    """Write the manifest that training leaves, naming this index."""
    data = Data(sha256="0", planned=1, actual=1, index_sha256=index_sha256)
    made = Manifest(
        name="tiny", kind="sft", base=None, sha256="0", adapter_sha256="0",
        tokenizer_sha256=None, chat_template_sha256=None, steps_done=1, steps_planned=1, epochs=1.0, data=data,
        seed=0, device="cpu", versions={}, recipe={},
    )  # fmt: skip
    checkpoint.write(folder, made)
