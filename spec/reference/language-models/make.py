"""Writes a small random model of each family, and what Hugging Face's transformers computes with it, beside this file;
and an adapter to one of them, by Hugging Face's peft.

    pip install torch transformers safetensors peft && python make.py
"""

import json
import pathlib

import peft
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
SHAPE = dict(vocab_size=40, tie_word_embeddings=False)
LLAMA = dict(
    SHAPE, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=0,
)  # fmt: skip
NEOX = dict(
    SHAPE, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=32, rotary_pct=0.5, bos_token_id=0, eos_token_id=0,
)  # fmt: skip
FAMILIES = {
    "gpt-neo": transformers.GPTNeoConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_layers=2, num_heads=4, max_position_embeddings=32,
        attention_types=[[["global", "local"], 1]], window_size=4, bos_token_id=0, eos_token_id=0,
    ),
    "gpt-neox": transformers.GPTNeoXConfig(**NEOX),
    "gpt-neox-sequential": transformers.GPTNeoXConfig(**NEOX | dict(use_parallel_residual=False, attention_bias=False)),
    "llama": transformers.LlamaConfig(**LLAMA, attention_bias=True, mlp_bias=True),
    "llama-3": transformers.LlamaConfig(
        **LLAMA | dict(tie_word_embeddings=True), head_dim=8,
        rope_parameters=dict(
            rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
    ),
    "mistral": transformers.MistralConfig(**LLAMA, sliding_window=5),
    "qwen2": transformers.Qwen2Config(**LLAMA),
}  # fmt: skip


def make(name: str, config: transformers.PretrainedConfig) -> None:
    torch.manual_seed(7)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Scales around one; everything else far enough from zero that logits differ.
            mean = 1.0 if parameter.ndim == 1 and bool((parameter == 1).all()) else 0.0
            parameter.normal_(mean, 0.25)
    ids = torch.randint(0, config.vocab_size, (2, 12))
    logits = model(ids).logits
    losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    losses.sum().backward()
    directory = HERE / name
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    if config.model_type == "gpt_neox":  # in memory the head has another name than in files
        expected["embed_out.weight"] = expected.pop("lm_head.weight")
    expected |= {"ids": ids.int(), "logits": logits.detach(), "losses": losses.detach()}
    save_file(expected, directory / "expected.safetensors")
    print(name, sum(parameter.numel() for parameter in model.parameters()))


def make_adapter(name: str) -> None:
    torch.manual_seed(8)
    base = transformers.AutoModelForCausalLM.from_pretrained(HERE / name, attn_implementation="eager")
    lora = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.0)
    model = peft.get_peft_model(base, lora).eval()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    with torch.no_grad():
        for parameter in trained.values():
            parameter.normal_(0.0, 0.25)
    ids = torch.randint(0, base.config.vocab_size, (2, 12))
    logits = model(ids).logits
    losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    losses.sum().backward()
    directory = HERE / name / "adapter"
    model.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)
    written = directory / "adapter_config.json"
    values = json.loads(written.read_text()) | dict(base_model_name_or_path=name)
    written.write_text(json.dumps(values, indent=2) + "\n")
    expected = {name.replace(".default", ""): parameter.grad for name, parameter in trained.items()}
    expected |= {"ids": ids.int(), "logits": logits.detach()}
    save_file(expected, directory / "expected.safetensors")


if __name__ == "__main__":
    for name, config in FAMILIES.items():
        make(name, config)
    make_adapter("llama")
    versions = {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
