"""A GGUF file becomes a folder that vLLM can serve on a CPU; run as a program of its own.

    python -m agent.models.convert FILE.gguf FOLDER

A process of its own gives the memory back, and a crash in it is an error message here.
The only place that imports transformers' model classes; needs the ``cpu`` extra.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

VERSION = 1
"""Raise this when the folder's content would change: the cache then converts again."""


def convert(gguf: Path, folder: Path) -> None:
    """Write bfloat16 safetensors, configuration, tokenizer and chat template to ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # transformers takes a folder and a file name, and the folder must be absolute.
    source, name = str(gguf.absolute().parent), gguf.name
    model: Any = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    # Otherwise the folder claims to be quantised and vLLM looks for what is not there.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
