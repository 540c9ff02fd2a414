import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetupError } from '../../scripts/setup/errors';
import { compileAddon } from '../../scripts/setup/addon';
import { cached } from '../../scripts/setup/cache';
import { setUpSearch } from '../../scripts/setup/search';
import { setUpTensorflow } from '../../scripts/setup/tensorflow';
import { findCompiler, findNodeHeaders, findPython } from '../../scripts/setup/toolchain';

const NO_TOOLS: NodeJS.ProcessEnv = { PATH: '' };

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bergson-setup-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** A package as `npm install --ignore-scripts` leaves it: sources, no addon. */
function unbuiltPackage(): string {
  const path = join(directory, 'node_modules', 'unbuilt');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'package.json'), '{"name": "unbuilt", "main": "index.js"}');
  writeFileSync(join(path, 'index.js'), 'throw new Error("no addon");');
  return path;
}

function ignore(): void {
  // Progress is not under test.
}

describe('bergson setup without tools', () => {
  it('says that the wasm backend serves when there is no compiler', async () => {
    const outcome = await setUpTensorflow({}, ignore, NO_TOOLS, [unbuiltPackage()]);
    expect(outcome.ready).toBe(false);
    expect(outcome.detail).toMatch(/no C\+\+ compiler found .* The wasm backend serves instead/);
    expect(outcome.detail).not.toContain('\n');
  });

  it('says so when tfjs-node is not installed, and how to install it', async () => {
    const { ready, detail } = await setUpTensorflow({}, ignore, NO_TOOLS, []);
    expect(ready).toBe(false);
    expect(detail).toContain('npm install --ignore-scripts @tensorflow/tfjs-node-gpu@4.22.0');
  });

  it('says that exact search serves when hnswlib cannot be built', async () => {
    const { ready, detail } = await setUpSearch(ignore, NO_TOOLS, unbuiltPackage());
    expect(ready).toBe(false);
    expect(detail).toMatch(/no C\+\+ compiler found.* Exact search serves instead/);
  });

  it('fails when it was asked for something that takes them', async () => {
    await expect(setUpTensorflow({ gpu: true }, ignore, NO_TOOLS, [unbuiltPackage()])).rejects.toThrow(
      SetupError,
    );
  });

  it('finds no Python and no compiler, but the headers of this Node where they are', async () => {
    expect(await findPython(NO_TOOLS)).toBeUndefined();
    expect(await findCompiler(NO_TOOLS)).toBeUndefined();
    const include = join(directory, 'include', 'node');
    mkdirSync(include, { recursive: true });
    writeFileSync(join(include, 'node_api.h'), '');
    expect(await findNodeHeaders({ ...NO_TOOLS, npm_config_nodedir: directory })).toBe(include);
  });
});

describe('the cache', () => {
  const before = process.env.XDG_CACHE_HOME;

  beforeEach(() => {
    process.env.XDG_CACHE_HOME = directory;
  });

  afterEach(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });

  it('fills a directory once', async () => {
    let fills = 0;
    const fill = (path: string): Promise<void> => {
      fills++;
      writeFileSync(join(path, 'file'), '');
      return Promise.resolve();
    };
    const first = await cached('library', fill);
    expect(await cached('library', fill)).toBe(first);
    expect(fills).toBe(1);
    expect(existsSync(join(first, 'file'))).toBe(true);
  });

  it('keeps nothing of a fill that fails', async () => {
    await expect(cached('library', () => Promise.reject(new Error('offline')))).rejects.toThrow('offline');
    expect(readdirSync(join(directory, 'tfjs-bergson'))).toEqual([]);
  });

  it('removes what a killed set-up left', async () => {
    const abandoned = join(directory, 'tfjs-bergson', 'library.partial-999999999');
    mkdirSync(abandoned, { recursive: true });
    await cached('library', () => Promise.resolve());
    expect(existsSync(abandoned)).toBe(false);
  });
});

describe('compiling an addon', () => {
  it('fails with the words of the compiler, and leaves no addon', async () => {
    const output = join(directory, 'addon.node');
    const addon = { compiler: process.execPath, sources: [], includes: [], flags: [], output };
    await expect(compileAddon(addon)).rejects.toThrow(/bad option/);
    expect(readdirSync(directory)).toEqual([]);
  });
});
