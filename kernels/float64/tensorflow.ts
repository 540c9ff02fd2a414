/**
 * Double precision in TensorFlow. tfjs has no such dtype, but its binding runs any operation on any tensor; what crosses
 * between JavaScript and TensorFlow is Bitcast to pairs of int32, which loses nothing.
 */
import type { Float64Algebra } from './algebra';

/** The part of tfjs-node's binding that is used; ids name tensors of any dtype. */
export interface Float64Binding {
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  createTensor(shape: number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array;
  executeOp(op: string, attributes: Attribute[], inputs: number[], outputs: number): { id: number }[];
}

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

/** TensorFlow's number for float64, which tfjs-node does not export. */
const DOUBLE = 2;

/** Time and memory grow with the third and the second power: minutes and 400 MB here. */
const WIDEST = 4096;

export function tensorFlowAlgebra(binding: Float64Binding): Float64Algebra {
  const tensors = new DoubleTensors(binding);
  return {
    widest: WIDEST,
    gramSum(width) {
      let sum: number | null = null;
      return {
        add(rows, count) {
          const x = tensors.fromFloats(rows, [count, width]);
          const product = tensors.product(x, x, { transposeA: true });
          const next = sum === null ? product : tensors.run('AddV2', [sum, product]);
          tensors.delete(x, ...(sum === null ? [] : [sum, product]));
          sum = next;
        },
        read: () => (sum === null ? new Float64Array(width * width) : tensors.read(sum)),
        dispose() {
          if (sum !== null) tensors.delete(sum);
          sum = null;
        },
      };
    },
    symmetricEigen(matrix, width) {
      const input = tensors.fromDoubles(matrix, [width, width]);
      const [values, vectors] = tensors.runAll(
        'SelfAdjointEigV2',
        [tensors.flag('compute_v', true)],
        [input],
        2,
      ) as [number, number];
      const eigen = { values: tensors.read(values), vectors: tensors.read(vectors) };
      tensors.delete(input, values, vectors);
      return eigen;
    },
    spectralMap(vectors, scales) {
      const width = scales.length;
      const v = tensors.fromDoubles(vectors, [width, width]);
      const s = tensors.fromDoubles(scales, [width]);
      return {
        apply(rows, count) {
          const x = tensors.fromFloats(rows, [count, width]);
          const coordinates = tensors.product(x, v, {}); // x V
          const scaled = tensors.run('Mul', [coordinates, s]); // x V S
          const mapped = tensors.product(scaled, v, { transposeB: true }); // x V S Vᵀ
          const result = tensors.readFloats(mapped);
          tensors.delete(x, coordinates, scaled, mapped);
          return result;
        },
        dispose() {
          tensors.delete(v, s);
        },
      };
    },
  };
}

/** Double-precision tensors by id, each of which its maker deletes. */
class DoubleTensors {
  constructor(private readonly binding: Float64Binding) {}

  fromDoubles(values: Float64Array, shape: number[]): number {
    const { TF_INT32 } = this.binding;
    const pairs = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
    const bits = this.binding.createTensor([...shape, 2], TF_INT32, pairs);
    const types = [this.type('T', TF_INT32), this.type('type', DOUBLE)];
    return this.replace(bits, 'Bitcast', types);
  }

  fromFloats(values: Float32Array, shape: number[]): number {
    const { TF_FLOAT } = this.binding;
    const floats = this.binding.createTensor(shape, TF_FLOAT, values);
    const types = [this.type('SrcT', TF_FLOAT), this.type('DstT', DOUBLE), this.flag('Truncate', false)];
    return this.replace(floats, 'Cast', types);
  }

  read(id: number): Float64Array {
    const [bits] = this.runAll(
      'Bitcast',
      [this.type('T', DOUBLE), this.type('type', this.binding.TF_INT32)],
      [id],
      1,
    ) as [number];
    const { buffer, byteOffset, length } = this.take(bits);
    return new Float64Array(buffer, byteOffset, length / 2);
  }

  readFloats(id: number): Float32Array {
    const types = [this.type('SrcT', DOUBLE), this.type('DstT', this.binding.TF_FLOAT)];
    const [floats] = this.runAll('Cast', [...types, this.flag('Truncate', false)], [id], 1) as [number];
    return this.take(floats) as Float32Array;
  }

  product(a: number, b: number, { transposeA = false, transposeB = false }): number {
    const flags = [this.flag('transpose_a', transposeA), this.flag('transpose_b', transposeB)];
    return this.run('MatMul', [a, b], flags);
  }

  run(op: string, inputs: number[], attributes: Attribute[] = []): number {
    const [output] = this.runAll(op, attributes, inputs, 1) as [number];
    return output;
  }

  runAll(op: string, attributes: Attribute[], inputs: number[], outputs: number): number[] {
    const typed = attributes.some(({ type }) => type === this.binding.TF_ATTR_TYPE);
    const all = typed ? attributes : [...attributes, this.type('T', DOUBLE)];
    return this.binding.executeOp(op, all, inputs, outputs).map(({ id }) => id);
  }

  flag(name: string, value: boolean): Attribute {
    return { name, type: this.binding.TF_ATTR_BOOL, value };
  }

  delete(...ids: number[]): void {
    for (const id of ids) this.binding.deleteTensor(id);
  }

  private type(name: string, value: number): Attribute {
    return { name, type: this.binding.TF_ATTR_TYPE, value };
  }

  private replace(id: number, op: string, attributes: Attribute[]): number {
    const [output] = this.runAll(op, attributes, [id], 1) as [number];
    this.delete(id);
    return output;
  }

  private take(id: number): Float32Array | Int32Array {
    const values = this.binding.tensorDataSync(id);
    this.delete(id);
    return values;
  }
}
