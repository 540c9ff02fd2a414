/** Finds what building native code takes: Python with pip, a C++ compiler, and the headers of this Node. */
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { runCommand } from './child-process';

type Environment = NodeJS.ProcessEnv;

/** A Python 3 that has pip, or undefined. */
export function findPython(env: Environment): Promise<string | undefined> {
  return firstWorking(
    [env.PYTHON, 'python3', 'python'],
    ['-c', 'import pip, sys; assert sys.version_info >= (3, 8)'],
    env,
  );
}

/** A C++17 compiler, or undefined. */
export function findCompiler(env: Environment): Promise<string | undefined> {
  return firstWorking([env.CXX, 'g++', 'clang++', 'c++'], ['--version'], env);
}

async function firstWorking(
  commands: readonly (string | undefined)[],
  args: readonly string[],
  env: Environment,
): Promise<string | undefined> {
  for (const command of commands) {
    if (command === undefined || command === '') continue;
    if ((await runCommand(command, args, { env })).code === 0) return command;
  }
  return undefined;
}

/** The directory with `node_api.h` of this Node version, downloaded by npm's node-gyp if nowhere here. */
export async function findNodeHeaders(env: Environment): Promise<string | undefined> {
  const known = nodeHeaderCandidates(env).find(hasHeaders);
  if (known !== undefined) return known;
  const nodeGyp = findNodeGyp(env);
  if (nodeGyp === undefined) return undefined;
  await runCommand(process.execPath, [nodeGyp, 'install', process.version], { env });
  return nodeHeaderCandidates(env).find(hasHeaders);
}

function nodeHeaderCandidates(env: Environment): string[] {
  const prefixes = [env.npm_config_nodedir, dirname(dirname(realpathSync(process.execPath)))];
  const version = process.versions.node;
  const caches = [
    env.npm_config_devdir,
    join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'node-gyp'),
    join(homedir(), 'Library', 'Caches', 'node-gyp'),
  ];
  return [...prefixes, ...caches.map((cache) => cache && join(cache, version))].flatMap((prefix) =>
    prefix === undefined || prefix === '' ? [] : [join(prefix, 'include', 'node')],
  );
}

function hasHeaders(directory: string): boolean {
  return existsSync(join(directory, 'node_api.h'));
}

/** The node-gyp that npm itself carries. */
function findNodeGyp(env: Environment): string | undefined {
  const beside = [
    ...(env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'npm')),
    env.npm_execpath ?? '',
  ];
  for (const npm of beside.filter((file) => existsSync(file))) {
    const script = join(dirname(dirname(realpathSync(npm))), 'node_modules/node-gyp/bin/node-gyp.js');
    if (existsSync(script)) return script;
  }
  return undefined;
}
