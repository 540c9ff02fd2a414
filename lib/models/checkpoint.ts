/** A model's weights in Hugging Face's files: one safetensors file, or several with an index. */
import fs from 'node:fs';
import path from 'node:path';
import { CheckpointError } from '../errors';
import { decodeFloat16 } from '../store/float16';
import { isMap } from '../store/record-file';
import { SafetensorsFile, type SafetensorsTensor } from '../store/safetensors';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/** Open files of weights. Only headers are in memory; a tensor is read when it is asked for. */
export class Checkpoint {
  private constructor(
    /** Which file holds each tensor. */
    private readonly files: ReadonlyMap<string, SafetensorsFile>,
    /** What the files are, for messages. */
    readonly name: string,
  ) {}

  /**
   * Opens `directory`'s `model.safetensors`, or the files that its index names.
   * @throws CheckpointError if neither is there or a file is missing; InvalidSafetensorsError
   */
  static open(directory: string): Checkpoint {
    const single = path.join(directory, SINGLE);
    const index = path.join(directory, INDEX);
    if (fs.existsSync(single)) return Checkpoint.ofFiles([single], single);
    if (!fs.existsSync(index)) {
      throw new CheckpointError(
        directory,
        SINGLE,
        `there, or ${INDEX}`,
        fs.readdirSync(directory).join(', '),
      );
    }
    const { weight_map: map } = JSON.parse(fs.readFileSync(index, 'utf8')) as Record<string, unknown>;
    if (!isMap(map)) throw new CheckpointError(index, 'weight_map', 'an object', typeof map);
    const shards = [...new Set(Object.values(map).map(String))].map((shard) => path.join(directory, shard));
    for (const shard of shards) {
      if (!fs.existsSync(shard))
        throw new CheckpointError(index, path.basename(shard), 'beside it', 'no such file');
    }
    return Checkpoint.ofFiles(shards, index);
  }

  /** Opens one file. @throws CheckpointError if it is not there; InvalidSafetensorsError */
  static openFile(file: string): Checkpoint {
    if (!fs.existsSync(file)) throw new CheckpointError(file, path.basename(file), 'there', 'no such file');
    return Checkpoint.ofFiles([file], file);
  }

  /** Of all tensors. */
  get names(): readonly string[] {
    return [...this.files.keys()];
  }

  private static ofFiles(paths: readonly string[], name: string): Checkpoint {
    const opened: SafetensorsFile[] = [];
    try {
      for (const file of paths) opened.push(SafetensorsFile.open(file));
    } catch (error) {
      for (const file of opened) file.close();
      throw error;
    }
    return new Checkpoint(
      new Map(opened.flatMap((file) => [...file.entries.keys()].map((tensor) => [tensor, file] as const))),
      name,
    );
  }

  has(tensor: string): boolean {
    return this.files.has(tensor);
  }

  /**
   * A tensor's values as float32, row-major.
   * @throws CheckpointError if it is missing, is of another shape, or does not hold floating-point numbers
   */
  read(tensor: string, shape: readonly number[]): Float32Array {
    const file = this.files.get(tensor);
    const wanted = `a float tensor of [${shape.join(', ')}]`;
    if (file === undefined) {
      throw new CheckpointError(this.name, tensor, wanted, `none of that name among ${this.files.size}`);
    }
    const entry = file.entries.get(tensor);
    if (entry?.shape.join() !== shape.join()) {
      throw new CheckpointError(file.path, tensor, wanted, `[${entry?.shape.join(', ')}]`);
    }
    const values = asFloat32(file.read(tensor));
    if (values === null) {
      throw new CheckpointError(file.path, tensor, wanted, `${entry.dtype} (quantized? dequantize it first)`);
    }
    return values;
  }

  close(): void {
    for (const file of new Set(this.files.values())) file.close();
  }
}

/** Null unless the values are floating-point numbers. */
function asFloat32({ dtype, data }: SafetensorsTensor): Float32Array | null {
  if (dtype === 'F32') return data as Float32Array;
  if (dtype === 'F64') return Float32Array.from(data as Float64Array);
  if (dtype !== 'F16' && dtype !== 'BF16') return null;
  const bits = data as Uint16Array;
  const values = new Float32Array(bits.length);
  if (dtype === 'F16') {
    decodeFloat16(bits, values);
  } else {
    // A bfloat16 is the upper half of a float32.
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  }
  return values;
}
