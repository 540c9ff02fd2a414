import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { markedRow, writeStore } from './support';
import { pythonWith } from '../support/python';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();

/** The three lines of docs/format.md, between imports and a print. */
const SCRIPT = `
import json, numpy as np
info = json.load(open("info.json"))
width = sum(info["grad_sizes"].values())
rows = np.memmap("gradients.bin", dtype=info["base_dtype"], mode="r").reshape(info["num_grads"], width)
print(json.dumps({"rows": rows.astype(float).tolist(), "layers": list(info["grad_sizes"])}))
`;

test.each(['float32', 'float16'] as const)(
  'numpy maps a %s store with three lines',
  async (dtype) => {
    const directory = path.join(root, dtype);
    const columns = [
      { layer: '10', width: 4 },
      { layer: '2', width: 3 },
    ];
    const rows = [0, 1, 2].map((example) => markedRow(example, 7));
    await writeStore(directory, { rows: 3, dtype, columns }, rows);
    const printed = execFileSync(pythonWith('numpy', ['numpy']), ['-c', SCRIPT], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect(JSON.parse(printed)).toEqual({ rows: rows.map((row) => [...row]), layers: ['10', '2'] });
  },
  300_000,
);
