/** Gets TensorFlow's native libraries and C headers out of the Python package that carries them. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache';
import { downloadWheel, type PinnedWheel, runStep, selectors, wrongHash } from './wheel';

export const TENSORFLOW_VERSION = '2.21.0';

export interface Wheel {
  readonly distribution: string;
  /** pip's name of the platform. */
  readonly platform: string;
  readonly sha256: string;
  readonly megabytes: number;
}

/** The wheels by Node's platform and architecture. Only native libraries are taken, so any one Python version does. */
const WHEELS: Readonly<Record<string, Wheel>> = {
  'linux-x64': {
    distribution: 'tensorflow-cpu',
    platform: 'manylinux_2_27_x86_64',
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    megabytes: 274,
  },
  'linux-x64-gpu': {
    distribution: 'tensorflow',
    platform: 'manylinux_2_27_x86_64',
    sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
    megabytes: 572,
  },
  'linux-arm64': {
    distribution: 'tensorflow',
    platform: 'manylinux_2_27_aarch64',
    sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
    megabytes: 290,
  },
  'darwin-arm64': {
    distribution: 'tensorflow',
    platform: 'macosx_12_0_arm64',
    sha256: '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
    megabytes: 230,
  },
};

/** The wheel for this machine, or undefined where there is none. */
export function wheelFor(gpu: boolean): Wheel | undefined {
  return WHEELS[`${process.platform}-${process.arch}${gpu ? '-gpu' : ''}`];
}

function pinned({ distribution, platform, sha256 }: Wheel): PinnedWheel {
  return { distribution, version: TENSORFLOW_VERSION, platforms: [platform], sha256 };
}

/** Name of the wheel's directory in the cache; the hash makes a changed pin a new directory. */
function cacheName(wheel: Wheel, gpu: boolean): string {
  const name = gpu ? `${wheel.distribution}-and-cuda` : wheel.distribution;
  return `${name}-${TENSORFLOW_VERSION}-${wheel.platform}-${wheel.sha256.slice(0, 12)}`;
}

/**
 * Directory of the `tensorflow` package with the native libraries and the C headers alone, from the cache or
 * downloaded into it.
 *
 * @throws SetupError when the download fails or is not what is pinned.
 */
export async function unpackedWheel(wheel: Wheel, python: string): Promise<string> {
  const directory = await cached(cacheName(wheel, false), async (partial) => {
    const download = join(partial, 'download');
    const file = await downloadWheel(pinned(wheel), python, download);
    await runStep(`unpack ${file}`, python, ['-c', UNPACK, file, partial]);
    rmSync(download, { recursive: true });
  });
  return join(directory, 'tensorflow');
}

/** Takes from a wheel the two native libraries and the headers that tfjs-node's binding includes. */
const UNPACK = `
import re, sys, zipfile
wanted = re.compile(
    r'tensorflow/(libtensorflow_(cc|framework)\\.|include/(tensorflow/(c|core/platform)|tsl/platform|xla/tsl/c)/.*\\.h$)')
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if wanted.match(name)])
`;

/** Platforms that NVIDIA's packages, and others TensorFlow asks for, name besides its own. */
const CUDA_PLATFORMS = ['manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux2010_x86_64'];

/**
 * Directory of the whole `tensorflow` package beside NVIDIA's CUDA packages: the libraries find CUDA through
 * `$ORIGIN/../nvidia/…`, so the two stay where pip puts them.
 *
 * @throws SetupError when the installation fails or is not what is pinned.
 */
export async function installedGpuWheel(wheel: Wheel, python: string): Promise<string> {
  const directory = await cached(cacheName(wheel, true), async (partial) => {
    const requirement = `${wheel.distribution}[and-cuda]==${TENSORFLOW_VERSION}`;
    const report = join(partial, 'pip-report.json');
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      ...selectors([wheel.platform, ...CUDA_PLATFORMS]),
      '--target',
      partial,
      '--report',
      report,
    ];
    await runStep(`install ${requirement}`, python, [...pip, requirement]);
    const installed = JSON.parse(readFileSync(report, 'utf8')) as PipReport;
    const hashes = installed.install.map((item) => item.download_info.archive_info?.hashes?.sha256);
    if (!hashes.includes(wheel.sha256)) throw wrongHash(pinned(wheel), hashes[0] ?? 'none');
  });
  return join(directory, 'tensorflow');
}

/** The part of `pip install --report` that says what was downloaded. */
interface PipReport {
  readonly install: readonly {
    readonly download_info: { readonly archive_info?: { readonly hashes?: { readonly sha256?: string } } };
  }[];
}
