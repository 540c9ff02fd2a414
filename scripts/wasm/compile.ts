/** Compiles WebAssembly text. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import wabt from 'wabt';
import { packageRoot } from '../../kernels/package-root';

/** What scan-wasm.ts has to say, from scan.wat. Throws an Error that says where the text is wrong. */
export async function compileScanKernel(): Promise<string> {
  const source = join(packageRoot(), 'kernels', 'scan', 'scan.wat');
  const module = (await wabt()).parseWat(source, readFileSync(source), { simd: true, bulk_memory: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  return [
    '/** scan.wat, compiled by `npm run build:wasm`; in base64. */',
    'export const SCAN_WASM = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}
