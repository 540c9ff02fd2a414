/** How much memory training takes at most, measured in processes of their own. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The most memory a process that trains `model` in this variant alone, for one turn, holds, in MB. */
export function peakAlone(model: string, variant: string): number {
  const script = join(__dirname, 'overhead.js');
  const options = ['--models', model, '--variants', variant, '--warm-up', '0', '--steps', '1', '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, [script, ...options], { encoding: 'utf8' });
  if (stdout === '') throw new Error(`${model}, ${variant}: ${stderr}`);
  const report = JSON.parse(stdout) as { measurements: { peakMegabytes: number }[] };
  return report.measurements[0]?.peakMegabytes ?? NaN;
}

/**
 * The most memory this process has held, in MB. Linux counts for the program that runs; elsewhere it may have been the
 * program that started it.
 */
export function ownPeak(): number {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
  return (Number(kilobytes) * 1024) / 1e6;
}
