import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, normalize, relative } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');

/** A folder may import from itself and from those after it. */
const FOLDERS = ['scripts', 'callbacks', 'lib', 'kernels'];

/** Packages that one place alone may import, so that it alone knows whether they load. */
const ONLY_IMPORTERS = [
  { package: /^@tensorflow\/tfjs-node(-gpu)?$/, importers: /^lib\/backend\.ts$/ },
  { package: /^hnswlib-node$/, importers: /^lib\/search\/hnsw[^/]*\.ts$/ },
  { package: /^tokenizers$/, importers: /^lib\/datasets\/tokenizer\.ts$/ },
  { package: /^hyparquet/, importers: /^lib\/(datasets\/parquet|export\/parquet-file)\.ts$/ },
];

interface Import {
  readonly from: string;
  readonly specifier: string;
}

const imports: Import[] = FOLDERS.flatMap((folder) =>
  sourceFiles(folder).flatMap((from) => {
    const text = readFileSync(join(ROOT, from), 'utf8');
    return ts.preProcessFile(text).importedFiles.map(({ fileName }) => ({ from, specifier: fileName }));
  }),
);

function sourceFiles(folder: string): string[] {
  const directory = join(ROOT, folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function violations(isWrong: (found: Import) => boolean): string[] {
  return imports.filter(isWrong).map(({ from, specifier }) => `${from} imports ${specifier}`);
}

describe('dependencies', () => {
  it('point from scripts to callbacks to lib to kernels', () => {
    const backward = violations(({ from, specifier }) => {
      if (!specifier.startsWith('.')) return false;
      const [folder = ''] = from.split('/');
      const [target = ''] = relative(ROOT, normalize(join(ROOT, from, '..', specifier))).split('/');
      return FOLDERS.indexOf(target) < FOLDERS.indexOf(folder);
    });
    expect(backward).toEqual([]);
  });

  it.each(ONLY_IMPORTERS)('reach $package from $importers alone', ({ package: name, importers }) => {
    expect(violations(({ from, specifier }) => name.test(specifier) && !importers.test(from))).toEqual([]);
  });

  it('name tfjs-node in no string of lib, callbacks or kernels but those of the backend', () => {
    const naming = FOLDERS.filter((folder) => folder !== 'scripts')
      .flatMap(sourceFiles)
      .filter((file) => /['"`]@tensorflow\/tfjs-node/.test(readFileSync(join(ROOT, file), 'utf8')));
    expect(naming).toEqual(['lib/backend.ts']);
  });
});
