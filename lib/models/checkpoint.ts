/** A model's weights in Hugging Face's files: one safetensors file, or several with an index. */
import fs from 'node:fs';
import path from 'node:path';
import { CheckpointError } from '../errors';
import { decodeBfloat16 } from '../store/bfloat16';
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
   * @throws CheckpointError if neither is there, or the index names a file or a tensor that is not; InvalidSafetensorsError
   */
  static open(directory: string): Checkpoint {
    const single = path.join(directory, SINGLE);
    const index = path.join(directory, INDEX);
    if (fs.existsSync(single)) return Checkpoint.openFile(single);
    if (!fs.existsSync(index)) {
      throw new CheckpointError(
        directory,
        SINGLE,
        `there, or ${INDEX}`,
        fs.readdirSync(directory).join(', '),
      );
    }
    const shardOf = readIndex(index);
    const shards = [...new Set(shardOf.values())];
    for (const shard of shards) {
      if (!fs.existsSync(path.join(directory, shard)))
        throw new CheckpointError(index, shard, 'beside it', 'no such file');
    }
    const opened = openAll(shards.map((shard) => path.join(directory, shard)));
    const files = new Map<string, SafetensorsFile>();
    for (const [tensor, shard] of shardOf) {
      const file = opened[shards.indexOf(shard)];
      if (file?.entries.has(tensor)) {
        files.set(tensor, file);
        continue;
      }
      for (const each of opened) each.close();
      throw new CheckpointError(
        path.join(directory, shard),
        tensor,
        `there, as ${INDEX} says`,
        'no such tensor',
      );
    }
    return new Checkpoint(files, index);
  }

  /** Opens one file. @throws CheckpointError if it is not there; InvalidSafetensorsError */
  static openFile(file: string): Checkpoint {
    if (!fs.existsSync(file)) throw new CheckpointError(file, path.basename(file), 'there', 'no such file');
    const opened = SafetensorsFile.open(file);
    return new Checkpoint(new Map([...opened.entries.keys()].map((tensor) => [tensor, opened])), file);
  }

  /** Of all tensors. */
  get names(): readonly string[] {
    return [...this.files.keys()];
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

/** Which file, beside it, the index at `file` says each tensor is in. @throws CheckpointError */
function readIndex(file: string): ReadonlyMap<string, string> {
  const text = fs.readFileSync(file, 'utf8');
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(file, INDEX, 'JSON', `${text.length} characters that are not`, { cause });
  }
  const map = isMap(index) ? index.weight_map : undefined;
  if (!isMap(map))
    throw new CheckpointError(
      file,
      'weight_map',
      'an object',
      map === undefined ? 'none' : JSON.stringify(map),
    );
  return new Map(Object.entries(map).map(([tensor, shard]) => [tensor, String(shard)]));
}

/** All files, or none. @throws InvalidSafetensorsError */
function openAll(paths: readonly string[]): SafetensorsFile[] {
  const opened: SafetensorsFile[] = [];
  try {
    for (const file of paths) opened.push(SafetensorsFile.open(file));
    return opened;
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** Null unless the values are floating-point numbers. */
function asFloat32({ dtype, data }: SafetensorsTensor): Float32Array | null {
  if (dtype === 'F32') return data as Float32Array;
  if (dtype === 'F64') return Float32Array.from(data as Float64Array);
  if (dtype !== 'F16' && dtype !== 'BF16') return null;
  const bits = data as Uint16Array;
  const values = new Float32Array(bits.length);
  (dtype === 'F16' ? decodeFloat16 : decodeBfloat16)(bits, values);
  return values;
}
