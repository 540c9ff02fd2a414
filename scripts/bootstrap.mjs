/**
 * `node scripts/bootstrap.mjs <target> [arguments]` brings a fresh clone to where <target> can run, then runs it.
 * Targets: `install`, `build`, `test` (Jest), `test-fast` (Jest, without the slow specs), or the name of a script in scripts/ (`demo`, `bergson`, …).
 * Each step is skipped when its result is already there. Plain JavaScript without dependencies, because it runs
 * before there are any.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCES = ['lib', 'callbacks', 'kernels', 'scripts'];
const FINGERPRINT = join(ROOT, 'dist', '.fingerprint');

const [target, ...args] = process.argv.slice(2);
if (target === undefined) {
  console.error('usage: node scripts/bootstrap.mjs install|build|test|<script> [arguments]');
  process.exit(2);
}
await install();
if (target !== 'install') await build();
if (target !== 'install' && target !== 'build') {
  // `bergson setup` and `bergson doctor` are there to be asked for; nothing is set up before them.
  if (target !== 'bergson' && !isSetUp()) await run(['dist/scripts/bergson.js', 'setup']);
  await run(commandOf(target));
}

function commandOf(target) {
  const jest = ['node_modules/jest/bin/jest.js', ...args];
  if (target === 'test') return jest;
  // Last, because Jest takes all words behind it for patterns, also the specs that are asked for.
  if (target === 'test-fast') return [...jest, '--testPathIgnorePatterns', '\\.slow\\.spec\\.ts$'];
  return [`dist/scripts/${target}.js`, ...args];
}

/**
 * Installs what package-lock.json pins. Install scripts stay off: `@tensorflow/tfjs-node-gpu` downloads its own
 * old TensorFlow in one, and `bergson setup` does that work instead.
 */
async function install() {
  if (isInstalled()) return;
  // Not `npm ci`: it would delete the addons already built, and it refuses a lock file that leaves out optional
  // packages of other platforms. `--no-save` takes the pinned versions and leaves the lock file as it is.
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await step('installed npm packages', () => npm(['install', ...options]));
}

/** Whether every package in package-lock.json is in node_modules, by npm's own record of what it put there. */
function isInstalled() {
  const wanted = lockedPackages('package-lock.json');
  const present = lockedPackages('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version,
  );
}

function lockedPackages(path) {
  const file = join(ROOT, path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

/** Compiles the TypeScript sources to dist/ unless none changed since. */
async function build() {
  const fingerprint = sourceFingerprint();
  if (existsSync(FINGERPRINT) && readFileSync(FINGERPRINT, 'utf8') === fingerprint) return;
  const compile = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
  await step('compiled TypeScript', () => run(compile));
  mkdirSync(dirname(FINGERPRINT), { recursive: true });
  writeFileSync(FINGERPRINT, fingerprint);
}

function sourceFingerprint() {
  const files = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  for (const folder of SOURCES.filter((name) => existsSync(join(ROOT, name)))) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true })) {
      if (name.endsWith('.ts')) files.push(join(folder, name));
    }
  }
  return files
    .sort()
    .map((file) => [file, statSync(join(ROOT, file)).mtimeMs, statSync(join(ROOT, file)).size].join(' '))
    .join('\n');
}

/** Whether the last `bergson setup` succeeded and all it found or built is still in place, untouched. */
function isSetUp() {
  const file = join(ROOT, 'node_modules', '.bergson-setup.json');
  if (!existsSync(file)) return false;
  const stamp = JSON.parse(readFileSync(file, 'utf8'));
  if (stamp.node !== process.version) return false;
  return Object.entries(stamp.files).every(
    ([path, modified]) => statSync(path, { throwIfNoEntry: false })?.mtimeMs === modified,
  );
}

async function step(done, action) {
  const start = Date.now();
  await action();
  console.error(`${done} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
}

function npm(args) {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith('.js')) return run([cli, ...args]);
  return spawnAndWait('npm', args, { shell: process.platform === 'win32' });
}

function run(args) {
  return spawnAndWait(process.execPath, args);
}

/** Runs a command with this terminal; a failure ends this process with the command's exit code. */
function spawnAndWait(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
    // Ctrl-C goes to the whole group; the child decides when it is done.
    const wait = () => undefined;
    process.on('SIGINT', wait);
    child.on('error', (error) => {
      console.error(`could not start ${command}: ${error.message}`);
      process.exit(1);
    });
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait);
      if (code === 0) resolve();
      else process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}
