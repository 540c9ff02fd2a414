import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Attributor, Run } from '../../callbacks';
import { writeNpy } from '../../lib/export/npy';
import { writeRowsParquet } from '../../lib/export/rows-parquet';
import { writeSavedDataset } from '../../lib/export/saved-dataset';
import { GradientStoreReader } from '../../lib/store/reader';
import { pythonIfAny } from '../support/python';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const SCRIPT = `
import json, numpy as np, pyarrow.parquet as pq, datasets
layers = ["hidden", "head"]
def flat(rows): return [sum((list(map(float, row[layer])) for layer in layers), []) for row in rows]
info = json.load(open("scores/info.json"))
scores = np.memmap("scores/scores.bin", dtype=info["dtype"], mode="r", shape=(info["num_rows"],))
dataset = datasets.load_from_disk("dataset")
print(json.dumps({
    "npy": np.load("rows.npy").astype(float).tolist(),
    "parquet": flat(pq.read_table("rows.parquet").to_pylist()),
    "by_layer": flat(datasets.load_from_disk("layers")),
    "gradients": [[float(value) for value in row] for row in dataset["gradients"]],
    "size": dataset.features["gradients"].length,
    "texts": [json.loads(record)["text"] for record in dataset["record"]],
    "scores": scores["score_1"][scores["written_1"]].astype(float).tolist(),
}))
`;

const python = pythonIfAny('exports', ['numpy', 'pyarrow', 'datasets']);

(python === undefined ? describe.skip : describe)('numpy, pyarrow and datasets', () => {
  const directory = temporaryDirectory();

  it.each(['float32', 'float16'] as const)(
    'read what a %s store was exported to',
    async (dtype) => {
      const examples = Array.from({ length: 20 }, (_, i) => ({ text: `über ${i}` }));
      const { run: place } = await trainRun(directory, denseCase, { dtype, examples });
      const run = Run.open(place);
      const store = GradientStoreReader.open(run.storeDirectory());
      const at = (name: string) => path.join(place, name);
      writeNpy(at('rows.npy'), store);
      await writeRowsParquet(at('rows.parquet'), run, store, 'layer');
      await writeSavedDataset(at('layers'), run, store, 'layer');
      await writeSavedDataset(at('dataset'), run, store, 'row');
      const attributor = await Attributor.open(place);
      await attributor.score([store.row(0), store.row(1)], { path: at('scores') });
      const [, trace] = await attributor.search([store.row(0), store.row(1)], { k: 20 });
      await attributor.close();

      const printed = execFileSync(python ?? '', ['-c', SCRIPT], { cwd: place, encoding: 'utf8' });
      const rows = examples.map((_, i) => [...store.row(i)]);
      store.close();
      expect(JSON.parse(printed)).toEqual({
        npy: rows,
        parquet: rows,
        by_layer: rows,
        gradients: rows,
        size: rows[0]?.length,
        texts: examples.map(({ text }) => text),
        scores: trace!.highest
          .toSorted((a, b) => a.example - b.example)
          .map(({ score }) => Math.fround(score)),
      });
    },
    300_000,
  );
});
