/**
 * Calls every native operation with random shapes and attributes, right ones and wrong ones: `fuzz.ts CASES SEED`. A
 * case either gives a result of the right size or is refused by an error that names the operation.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tf = require('@tensorflow/tfjs');
import type { Addon } from '../../../kernels/addon';
import { loadBackend } from '../../../lib/backend';
import { nativeAddon, nativeBackend } from '../../../kernels/native';
import type { OpAttribute, TensorFlowBackend } from '../../../kernels/tensorflow-backend';

/** The operation's inputs by shape, how many outputs it has, and its attributes. */
interface Case {
  readonly op: string;
  readonly inputs: number[][];
  readonly outputs?: number;
  readonly window?: number[];
  readonly heads?: number[];
  /** Of linear maps. */
  readonly transposed?: boolean;
  /** Of activations. */
  readonly function?: string;
  /** Of normalizations. */
  readonly centered?: boolean;
  /** Of cross-entropy: what its second input holds. */
  readonly labels?: number;
}

let state = 1;

/** An integer from 0 to below `limit`, by a linear congruential generator. */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

const one = (limit: number) => 1 + random(limit);
const chance = (part: number) => random(1000) < part * 1000;

function rightAttention(): Case {
  const [n, s, size, keyHeads, joined] = [one(3), random(70), one(20), one(3), chance(0.5)];
  const heads = joined ? keyHeads : keyHeads * one(3);
  const maps = joined
    ? [
        [n, s, 3 * heads * size],
        [0, 0],
        [0, 0],
      ]
    : [heads, keyHeads, keyHeads].map((count) => [n, s, count * size]);
  const angles = chance(0.5) ? [0, 0] : [2, s, random(Math.floor(size / 2) + 1)];
  const forward = [...maps, angles];
  const attribute = [heads, keyHeads, random(s + 3), joined ? random(2) : 0];
  if (chance(0.5)) return { op: 'BergsonCausalAttention', inputs: forward, outputs: 2, heads: attribute };
  const output = [n, s, heads * size];
  const inputs = [...forward, output, [n, heads, s, 2], output];
  return { op: 'BergsonCausalAttentionGradients', inputs, outputs: 3, heads: attribute };
}

/** A case in which everything fits. */
function rightCase(): Case {
  if (chance(0.2)) return rightAttention();
  const [n, o, q] = [one(5), one(70), one(40)];
  const left = chance(0.3) ? [0, 0] : [o, one(40)];
  const bias = chance(0.5);
  const patches = chance(0.5);
  const normalized = chance(0.5);
  if (chance(0.2)) {
    const shape = [n, ...Array.from({ length: random(3) }, () => random(9)), o];
    return { op: 'BergsonSumProducts', inputs: [shape, shape, bias ? [o] : [0, 0]] };
  }
  if (chance(0.1)) {
    const transposed = chance(0.5);
    const x = [...Array.from({ length: random(3) }, () => random(40)), random(40)];
    const weight = [x.at(-1) ?? 0, o];
    const inputs = [x, transposed ? weight.reverse() : weight, bias ? [o] : [0, 0]];
    return { op: 'BergsonLinear', inputs, transposed };
  }
  if (chance(0.1)) {
    const shape = Array.from({ length: random(4) }, () => random(40));
    const [gradient, isGated] = [chance(0.5), chance(0.5)];
    const name = isGated ? 'BergsonGatedActivation' : 'BergsonActivation';
    return {
      op: gradient ? `${name}Gradient${isGated ? 's' : ''}` : name,
      inputs: Array.from({ length: 1 + Number(gradient) + Number(isGated) }, () => shape),
      outputs: gradient && isGated ? 2 : 1,
      function: ['gelu', 'geluTanh', 'silu'][random(3)] ?? '',
    };
  }
  if (chance(0.1)) {
    const shape = [...Array.from({ length: random(3) }, () => random(9)), one(70)];
    const weight = () => (chance(0.5) ? [shape.at(-1) ?? 0] : [0, 0]);
    const gradient = chance(0.5);
    return {
      op: gradient ? 'BergsonNormalizationGradient' : 'BergsonNormalization',
      inputs: [shape, weight(), gradient ? shape : weight()],
      centered: chance(0.5),
    };
  }
  if (chance(0.1)) {
    const [examples, classes] = [random(9), one(70)];
    const gradient = chance(0.5);
    return {
      op: gradient ? 'BergsonCrossEntropyGradient' : 'BergsonCrossEntropy',
      inputs: [[examples, classes], [examples], ...(gradient ? [[examples]] : [])],
      labels: random(classes + 1),
    };
  }
  const suffix = (k: number) => (normalized ? [[k, o], bias ? [o] : [0, 0], [2]] : []);
  const name = normalized ? 'BergsonProjectNormalized' : 'BergsonProject';
  const biasRow = bias ? [1, q] : [0, 0];
  if (!patches) {
    const positions = Array.from({ length: random(3) }, () => random(12));
    const k = one(200);
    const inputs = [[n, ...positions, k], [k, q], biasRow, [n, ...positions, o], left, ...suffix(k)];
    return { op: normalized ? name : `${name}Factors`, inputs };
  }
  const [kernel, strides, dilations] = [
    [one(4), one(4)],
    [one(3), one(3)],
    [one(2), one(2)],
  ];
  const padding = [0, 1].map((axis) => random(((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1));
  const image = [one(16), one(16)];
  const out = image.map((size, axis) =>
    random(Math.ceil((size + (padding[axis] ?? 0)) / (strides[axis] ?? 1)) + 1),
  );
  const channels = one(9);
  if (chance(0.2)) {
    const inputs = [
      [n, ...image, channels],
      [n, ...out, channels * one(3)],
    ];
    return { op: 'BergsonDepthwise', inputs, window: [...kernel, ...strides, ...dilations, ...padding] };
  }
  const k = (kernel[0] ?? 1) * (kernel[1] ?? 1) * channels;
  const inputs = [[n, ...image, channels], [k, q], biasRow, [n, ...out, o], left, ...suffix(k)];
  return { op: `${name}Patches`, inputs, window: [...kernel, ...strides, ...dilations, ...padding] };
}

/** Rows of `n` examples, made of inputs of these shapes by a program as kernels/row-terms.ts encodes it. */
interface Rows {
  readonly n: number;
  width: number;
  readonly inputs: number[][];
  readonly integers: number[];
  readonly reals: number[];
}

function rightRows(): Rows {
  const rows: Rows = { n: one(4), width: 0, inputs: [], integers: [], reals: [] };
  for (let column = random(3); column >= 0; column--) {
    rows.integers.push(rows.width, 1);
    rows.width += addTerm(rows);
  }
  return rows;
}

/** Adds a term of any kind, and returns its width. */
function addTerm({ n, inputs, integers, reals }: Rows): number {
  const given = (shape: number[]) => inputs.push(shape) - 1;
  const perhaps = (shape: number[]) => (chance(0.5) ? given(shape) : -1);
  const positions = Array.from({ length: random(3) }, () => random(9));
  const [o, p, q, k] = [one(30), one(20), one(20), one(50)];
  const kind = random(4);
  integers.push(kind);
  if (kind === 0) {
    integers.push(given([n, p, q]));
    return p * q;
  }
  if (kind === 3) {
    const [scale, shift] = [random(2), random(2)];
    const shape = [n, ...positions, o];
    const outputs = (scale + shift) * o;
    const left = perhaps([outputs, p]);
    integers.push(given(shape), given(shape), perhaps([o]), perhaps([o]), left, scale, shift);
    reals.push(2, 1e-3);
    return left < 0 ? outputs : p;
  }
  const left = perhaps([o, p]);
  const [kernel, image, channels] = [[one(3), one(3)], [one(9), one(9)], one(6)] as const;
  const inner = kind === 1 ? k : kernel[0] * kernel[1] * channels;
  const out = image.map((size) => random(size + 1));
  const before = kind === 1 ? [n, ...positions, k] : [n, ...image, channels];
  const after = kind === 1 ? [n, ...positions, o] : [n, ...out, o];
  integers.push(given(before), given([inner, q]), perhaps([1, q]), given(after), left);
  reals.push(2);
  if (kind === 2) integers.push(...kernel, 1, 1, 1, 1, random(kernel[0]), random(kernel[1]));
  return (left < 0 ? o : p) * q;
}

/** Up to three sizes or numbers of the program changed at random. */
function spoilRows(rows: Rows): Rows {
  const { inputs } = spoil({ op: '', inputs: rows.inputs });
  const spoiled = { ...rows, inputs, integers: [...rows.integers], reals: [...rows.reals] };
  for (let i = random(3); i > 0; i--) {
    const change = random(5);
    if (change === 0) spoiled.width = random(2 * rows.width);
    else if (change === 1) spoiled.integers.pop();
    else if (change === 2) spoiled.reals.pop();
    else spoiled.integers[random(rows.integers.length)] = random(40) - 9;
  }
  return spoiled;
}

const ROWS = 'BergsonWriteRows';

function writeRows(addon: Addon, backend: TensorFlowBackend, rows: Rows): 'result' | 'refusal' {
  const { n, width, inputs, integers, reals } = rows;
  const file = join(tmpdir(), `bergson-fuzz-${process.pid}`);
  const descriptor = fs.openSync(file, 'w');
  const positions = Float64Array.from({ length: n }, (_, i) => 4 * width * i);
  const program = [new Int32Array(integers), new Float64Array(reals)] as const;
  const prepared = addon.prepareRowWrite(descriptor, positions, ...program, width, 1, [], [], []);
  try {
    tf.tidy(() => {
      const tensors = inputs.map((shape) => tf.ones(shape));
      const count = { name: 'N', type: backend.binding.TF_ATTR_INT, value: tensors.length };
      backend.executeMultipleOutputs(ROWS, [count], tensors, 0);
    });
    if (addon.rowOutcome(prepared) !== null) throw new Error('internal: not written');
    if (fs.statSync(file).size !== 4 * n * width) throw new Error('internal: not written whole');
    return 'result';
  } catch (error) {
    if (!String(error).includes(ROWS)) throw error;
    return 'refusal';
  } finally {
    fs.closeSync(descriptor);
    fs.rmSync(file);
  }
}

/** Up to three sizes, ranks or attributes of the case changed at random. */
function spoil(right: Case): Case {
  const spoiled = right.inputs.map((shape) => [...shape]);
  const window = right.window && [...right.window];
  const heads = right.heads && [...right.heads];
  const list = window ?? heads;
  for (let i = one(3); i > 0; i--) {
    if (list !== undefined && chance(0.3)) {
      list[random(list.length)] = random(9) - 3;
      if (chance(0.1)) list.pop();
      continue;
    }
    const shape = spoiled[random(spoiled.length)] ?? [];
    const change = random(5);
    if (change === 0) shape.pop();
    else if (change === 1) shape.splice(random(shape.length + 1), 0, random(4));
    else if (shape.length > 0) shape[random(shape.length)] = random(12);
  }
  return { ...right, inputs: spoiled, ...(window && { window }), ...(heads && { heads }) };
}

function attributesOf(
  { op, window, heads, function: value, centered, labels, transposed }: Case,
  { binding }: TensorFlowBackend,
): OpAttribute[] {
  const { TF_ATTR_BOOL, TF_ATTR_FLOAT, TF_ATTR_INT, TF_ATTR_STRING } = binding;
  if (heads !== undefined) {
    return [
      { name: 'scale', type: TF_ATTR_FLOAT, value: 0.5 },
      { name: 'heads', type: TF_ATTR_INT, value: heads },
    ];
  }
  if (value !== undefined) return [{ name: 'function', type: TF_ATTR_STRING, value }];
  if (transposed !== undefined) return [{ name: 'transposed', type: TF_ATTR_BOOL, value: transposed }];
  if (centered !== undefined) {
    return [
      { name: 'epsilon', type: TF_ATTR_FLOAT, value: 1e-5 },
      { name: 'centered', type: TF_ATTR_BOOL, value: centered },
    ];
  }
  const attributes: OpAttribute[] = [];
  if (op !== 'BergsonSumProducts' && labels === undefined)
    attributes.push({ name: 'multiplier', type: TF_ATTR_FLOAT, value: 2 });
  if (window !== undefined) attributes.push({ name: 'window', type: TF_ATTR_INT, value: window });
  return attributes;
}

function run(backend: TensorFlowBackend, tried: Case): 'result' | 'refusal' {
  const { op, inputs, outputs = 1, labels } = tried;
  const attributes = attributesOf(tried, backend);
  return tf.tidy(() => {
    // TensorFlow itself refuses a wrong dtype.
    const tensors = inputs.map((shape, index) => {
      const integers = chance(0.02) !== (labels !== undefined && index === 1);
      return tf.fill(shape, index === 1 ? (labels ?? 1) : 1, integers ? 'int32' : 'float32');
    });
    try {
      for (const result of backend.executeMultipleOutputs(op, attributes, tensors, outputs)) {
        if (result.dataSync().some((value) => Number.isNaN(value))) throw new Error('internal: not a number');
      }
      return 'result';
    } catch (error) {
      if (!String(error).includes(op)) throw error;
      return 'refusal';
    }
  });
}

async function main(): Promise<void> {
  const [cases = 0, seed = 1] = process.argv.slice(2).map(Number);
  state = seed;
  await loadBackend('tensorflow');
  const [addon, backend] = [nativeAddon(), nativeBackend()];
  if (typeof addon === 'string' || backend === null) throw new Error(addon as string);
  const counts = { result: 0, refusal: 0 };
  const orSpoiled = <T>(drawn: T, change: (drawn: T) => T) => (chance(0.5) ? change(drawn) : drawn);
  for (let i = 0; i < cases; i++) {
    const tried = chance(0.2) ? orSpoiled(rightRows(), spoilRows) : orSpoiled(rightCase(), spoil);
    try {
      counts['op' in tried ? run(backend, tried) : writeRows(addon, backend, tried)]++;
    } catch (error) {
      throw new Error(`case ${i}, ${JSON.stringify(tried)}`, { cause: error });
    }
  }
  console.log(`${counts.result} results, ${counts.refusal} refusals`);
}

void main();
