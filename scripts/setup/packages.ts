/** Where the native packages that set-up works on are installed. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../kernels/package-root';

export const BINDING_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
export const HNSWLIB_PACKAGE = 'hnswlib-node';

/** Directory of an installed package, or undefined. */
export function packageDirectory(name: string): string | undefined {
  for (let directory = packageRoot(); ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (directory === dirname(directory)) return undefined;
  }
}

/** Version range that this package's package.json gives for a dependency. */
export function wantedVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return manifest.optionalDependencies[name] ?? 'latest';
}
