/** `bergson build`: a searchable run of a language model over a data set, from the command line. */
import type { CommandModule } from 'yargs';
import { loadBackend } from '../../lib/backend';
import { CONFIG_FIELDS, readConfig, resolveConfig, type BuildConfig } from '../../lib/build/build-config';
import { buildRun } from '../../lib/build/build-run';
import { planBuild } from '../../lib/build/plan';
import { applyHostFixes } from '../../lib/host-fixes';
import { withBuildOptions, type BuildArguments } from '../build/options';
import { describeBuilt, describePlan, toOutcome } from '../build/report';
import { startProgress } from '../terminal/progress-bar';

export const buildCommand: CommandModule<object, BuildArguments> = {
  command: 'build [run]',
  describe: 'Collect the gradients of a data set under a language model: a run to be queried',
  builder: (yargs) =>
    withBuildOptions(yargs)
      .check((args) => {
        if (args.config !== undefined) return true;
        const missing = ['run', 'model', 'dataset'].filter((name) => args[name] === undefined);
        return missing.length === 0 || `Give ${missing.join(' and ')}, or --config with a file that does.`;
      })
      .example('$0 build runs/facts --model models/gpt2 --dataset facts.jsonl', 'A row for each example')
      .example('$0 build runs/facts --model models/gpt2 --dataset facts.jsonl --plan', 'What that would take')
      .example(
        "$0 build runs/facts --config runs/other/config.yaml --modules '**.attn.*'",
        'As before, but for …',
      ),
  handler: async (args) => {
    const config = configOf(args);
    await loadBackend();
    applyHostFixes();
    if (args.plan) {
      const plan = await planBuild(config);
      console.log(args.json ? JSON.stringify(plan, undefined, 2) : describePlan(plan));
      return;
    }
    const built = await buildRun(config, startProgress);
    console.log(args.json ? JSON.stringify(toOutcome(built), undefined, 2) : describeBuilt(built));
    if (built.failed.length > 0) process.exitCode = 1;
  },
};

/** What is asked for on the command line, before what a file asks for. @throws InvalidConfigError */
function configOf(args: BuildArguments): BuildConfig {
  const file: Record<string, unknown> = args.config === undefined ? {} : readConfig(args.config);
  const given = CONFIG_FIELDS.flatMap((name) => (args[name] === undefined ? [] : [[name, args[name]]]));
  return resolveConfig(
    { ...file, ...(Object.fromEntries(given) as Record<string, unknown>) },
    args.config ?? 'the command line',
  );
}
