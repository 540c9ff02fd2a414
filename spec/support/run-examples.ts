/** Runs the TypeScript examples of a document, as a reader's program would. */
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import ts from 'typescript';
import * as bergson from '../../callbacks';

const MODULES: Record<string, unknown> = { 'tfjs-bergson': bergson, '@tensorflow/tfjs': tf };

/** The TypeScript blocks of a document at the repository's root. */
export function examplesOf(document: string): string[] {
  const text = fs.readFileSync(path.join(__dirname, '..', '..', document), 'utf8');
  return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code ?? '');
}

/** Runs the blocks one after the other, with `names` in their scope. Returns what they print, call by call. */
export async function runExamples(
  blocks: readonly string[],
  names: Readonly<Record<string, unknown>> = {},
): Promise<unknown[][]> {
  const printed: unknown[][] = [];
  const console = {
    log: (...values: unknown[]) => {
      printed.push(values);
    },
  };
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    esModuleInterop: true,
  };
  for (const block of blocks) {
    const { outputText } = ts.transpileModule(block, { compilerOptions });
    const parameters = ['require', 'exports', 'console', ...Object.keys(names)];
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- running the document is the point
    const run = new Function(...parameters, `return (async () => {${outputText}})();`) as (
      ...given: unknown[]
    ) => Promise<void>;
    await run((name: string) => MODULES[name], {}, console, ...Object.values(names));
  }
  return printed;
}
