/** A GPT-2 of random weights in Hugging Face's format, and texts of random tokens, the same in every call. */
import fs from 'node:fs';
import path from 'node:path';
import { writeSafetensors, type SafetensorsTensor } from '../../lib/store/safetensors';
import { seededUniform } from '../demo/seeded';

export interface Gpt2Size {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly context: number;
}

/** Writes `config.json` and `model.safetensors` into `directory`. */
export function writeRandomGpt2(directory: string, size: Gpt2Size): void {
  const { layers, width, heads, vocabulary, context } = size;
  const tensors: Record<string, SafetensorsTensor> = {};
  let seed = 1;
  // Of about the deviation that training begins with; what matters here is only that nothing is zero.
  const put = (name: string, shape: number[], shift = 0) => {
    const numbers = seededUniform(
      shape.reduce((product, side) => product * side, 1),
      seed++,
    );
    tensors[name] = { dtype: 'F32', shape, data: numbers.map((number) => shift + 0.07 * (number - 0.5)) };
  };
  const norm = (name: string) => {
    put(`${name}.weight`, [width], 1);
    put(`${name}.bias`, [width]);
  };
  const map = (name: string, inputs: number, outputs: number) => {
    put(`${name}.weight`, [inputs, outputs]);
    put(`${name}.bias`, [outputs]);
  };
  put('wte.weight', [vocabulary, width]);
  put('wpe.weight', [context, width]);
  for (let layer = 0; layer < layers; layer++) {
    norm(`h.${layer}.ln_1`);
    map(`h.${layer}.attn.c_attn`, width, 3 * width);
    map(`h.${layer}.attn.c_proj`, width, width);
    norm(`h.${layer}.ln_2`);
    map(`h.${layer}.mlp.c_fc`, width, 4 * width);
    map(`h.${layer}.mlp.c_proj`, 4 * width, width);
  }
  norm('ln_f');
  const config = {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    activation_function: 'gelu_new',
    n_layer: layers,
    n_embd: width,
    n_head: heads,
    n_positions: context,
    n_ctx: context,
    vocab_size: vocabulary,
    layer_norm_epsilon: 1e-5,
    attn_pdrop: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
    tie_word_embeddings: true,
  };
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
  writeSafetensors(path.join(directory, 'model.safetensors'), tensors);
}

/** `count` texts of `length` tokens each. */
export function randomTexts(count: number, length: number, vocabulary: number): Int32Array[] {
  const numbers = seededUniform(count * length, 13);
  return Array.from({ length: count }, (_, text) =>
    Int32Array.from(numbers.subarray(text * length, (text + 1) * length), (number) =>
      Math.floor(vocabulary * number),
    ),
  );
}
