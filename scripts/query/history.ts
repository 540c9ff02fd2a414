/** The lines typed at earlier prompts, newest first. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const LONGEST = 1000;

/** Where they are kept: `BERGSON_HISTORY`, of which an empty one keeps none. */
function historyFile(): string | undefined {
  const { BERGSON_HISTORY: chosen, XDG_STATE_HOME: state } = process.env;
  if (chosen !== undefined) return chosen === '' ? undefined : chosen;
  return path.join(state ?? path.join(os.homedir(), '.local', 'state'), 'tfjs-bergson', 'history');
}

export function readHistory(): string[] {
  const file = historyFile();
  if (file === undefined || !fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** Keeps `lines`, for their owner's eyes alone. A home that cannot be written to is no reason to fail. */
export function writeHistory(lines: readonly string[]): void {
  const file = historyFile();
  if (file === undefined || lines.length === 0) return;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, `${lines.slice(0, LONGEST).join('\n')}\n`, { mode: 0o600 });
  } catch (error) {
    console.error(`the history is not kept: ${(error as Error).message}`);
  }
}
