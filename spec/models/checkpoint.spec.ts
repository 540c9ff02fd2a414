import fs from 'node:fs';
import path from 'node:path';
import { Float16Array } from '@petamoriken/float16';
import { CheckpointError, InvalidSafetensorsError } from '../../callbacks';
import { Checkpoint } from '../../lib/models/checkpoint';
import { writeSafetensors, type SafetensorsTensor } from '../../lib/store/safetensors';
import { openFiles } from '../support/open-files';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
const float32 = (...values: number[]): SafetensorsTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});
let made = 0;

/** A directory of the shards given, with an index that says `map` or, without one, where each tensor is. */
function sharded(
  shards: Readonly<Record<string, Record<string, SafetensorsTensor>>>,
  map: object = Object.fromEntries(
    Object.entries(shards).flatMap(([shard, tensors]) => Object.keys(tensors).map((name) => [name, shard])),
  ),
): string {
  const directory = path.join(root, `${made++}`);
  fs.mkdirSync(directory);
  for (const [shard, tensors] of Object.entries(shards)) {
    writeSafetensors(path.join(directory, shard), tensors);
  }
  const index = JSON.stringify({ metadata: { total_size: 0 }, weight_map: map });
  fs.writeFileSync(path.join(directory, 'model.safetensors.index.json'), index);
  return directory;
}

const SHARDS = {
  'model-00001-of-00002.safetensors': { first: float32(1, 2), both: float32(3) },
  'model-00002-of-00002.safetensors': { second: float32(4), both: float32(5) },
};

it('reads each tensor from the shard that the index names', () => {
  const directory = sharded(SHARDS);
  const checkpoint = Checkpoint.open(directory);
  expect([...checkpoint.names].sort()).toEqual(['both', 'first', 'second']);
  expect(checkpoint.read('first', [2])).toEqual(Float32Array.of(1, 2));
  expect(checkpoint.read('second', [1])).toEqual(Float32Array.of(4));
  expect(checkpoint.read('both', [1])).toEqual(Float32Array.of(5));
  checkpoint.close();
  const other = Checkpoint.open(
    sharded(SHARDS, { both: 'model-00001-of-00002.safetensors', second: 'model-00002-of-00002.safetensors' }),
  );
  expect(other.read('both', [1])).toEqual(Float32Array.of(3));
  expect(other.has('first')).toBe(false);
  other.close();
});

it('takes one whole file before shards', () => {
  const directory = sharded(SHARDS);
  writeSafetensors(path.join(directory, 'model.safetensors'), { whole: float32(7) });
  const checkpoint = Checkpoint.open(directory);
  expect(checkpoint.names).toEqual(['whole']);
  checkpoint.close();
});

it('widens float16 and bfloat16 exactly, and rounds float64', () => {
  const halves = Float16Array.of(1 / 3, -65_504, 2 ** -24, Infinity);
  const data = new Uint16Array(halves.buffer);
  const directory = sharded({
    'a.safetensors': {
      half: { dtype: 'F16', shape: [2, 2], data },
      brain: { dtype: 'BF16', shape: [3], data: Uint16Array.of(0x3f80, 0xc049, 0x0001) },
      double: { dtype: 'F64', shape: [1], data: Float64Array.of(1 / 3) },
    },
  });
  const checkpoint = Checkpoint.open(directory);
  expect(checkpoint.read('half', [2, 2])).toEqual(Float32Array.from(halves as Iterable<number>));
  expect(checkpoint.read('brain', [3])).toEqual(Float32Array.of(1, -3.140625, 2 ** -133));
  expect(checkpoint.read('double', [1])).toEqual(Float32Array.of(1 / 3));
  checkpoint.close();
});

describe('refuses, and leaves no file open,', () => {
  const FIRST = 'model-00001-of-00002.safetensors';
  const SECOND = 'model-00002-of-00002.safetensors';
  const refused = (directory: string) => {
    const before = process.platform === 'linux' ? openFiles() : 0;
    let error: unknown;
    try {
      Checkpoint.open(directory);
    } catch (caught) {
      error = caught;
    }
    if (process.platform === 'linux') expect(openFiles()).toBe(before);
    return error as Error;
  };

  it('an index of a shard that is not there, by its name', () => {
    const directory = sharded(SHARDS);
    fs.rmSync(path.join(directory, SECOND));
    const error = refused(directory);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(
      /model.safetensors.index.json: `model-00002-of-00002.safetensors` must be beside it, found no such file/,
    );
  });

  it('a tensor that is not in the shard of the index', () => {
    const error = refused(sharded(SHARDS, { first: FIRST, second: FIRST }));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(
      /model-00001-of-00002.safetensors: `second` must be there, as model.safetensors.index.json says, found no such/,
    );
  });

  it('a shard that is cut off', () => {
    const directory = sharded(SHARDS);
    fs.truncateSync(path.join(directory, SECOND), 20);
    expect(refused(directory)).toBeInstanceOf(InvalidSafetensorsError);
  });

  it.each([
    ['is not JSON', '{"weight_map":', /`model.safetensors.index.json` must be JSON/],
    ['has no map', '{}', /`weight_map` must be an object, found none/],
    ['has a list for a map', '{"weight_map":[]}', /`weight_map` must be an object, found \[\]/],
  ])('an index that %s', (_, text, message) => {
    const directory = sharded(SHARDS);
    fs.writeFileSync(path.join(directory, 'model.safetensors.index.json'), text);
    const error = refused(directory);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(message);
  });
});
