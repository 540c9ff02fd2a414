/** Prints the spectra of a store's preconditioner and what damping leaves of them. */
import Table from 'cli-table3';
import { colors } from '../terminal/colors';
import { paragraph } from '../terminal/layout';
import type { LayerSpectrumDiagnosis, PreconditionerDiagnosis } from './preconditioner-diagnosis';

/** A sentence and a table for the preconditioner of the store `name`. */
export function describePreconditioner(
  name: string,
  preconditioner: PreconditionerDiagnosis | string,
): string[] {
  if (typeof preconditioner === 'string')
    return [colors.red(paragraph(`The preconditioner of ${name} is unusable: ${preconditioner}`))];
  const { damping, examples, of, share, applied, layers } = preconditioner;
  const what =
    of === 'rows' ? `the autocorrelation of ${examples} rows` : `a matrix over ${examples} examples`;
  const mixed = share === null ? '' : ` (the store's own share is ${share})`;
  const where = applied === 'rows' ? 'its rows hold' : '`query --precondition` scores by';
  const table = new Table({
    head: [
      'layer',
      'width',
      'condition',
      'damped',
      'above',
      'eigenvalues over 8 decades, | marks the damping',
    ],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const layer of layers) table.push(toRow(layer));
  return [
    '',
    paragraph(
      `${colors.bold(`Preconditioner of ${name}`)}: ${where} ${what}${mixed}, damped by ${damping} of each layer's mean ` +
        'eigenvalue. Condition numbers before and after, eigenvalues above the damping, and the spectrum from the largest:',
    ),
    table.toString(),
  ];
}

function toRow({
  layer,
  width,
  smallest,
  largest,
  condition,
  aboveDamping,
  spectrum,
  damping,
}: LayerSpectrumDiagnosis) {
  if (condition === null)
    return [layer, `${width}`, '', '', '', colors.yellow('no gradient: left out of scores')];
  const before = smallest > 0 ? format(largest / smallest) : 'infinite';
  return [layer, `${width}`, before, format(condition), `${aboveDamping}`, drawSpectrum(spectrum, damping)];
}

function format(value: number): string {
  return value < 1e4 ? value.toPrecision(3) : value.toExponential(1);
}

const BARS = '▁▂▃▄▅▆▇█';
/** Decades below the largest eigenvalue at which bars end. */
const DECADES = 8;

/** A bar for each value, of the height of its logarithm, with `|` where values fall below `damping`. */
export function drawSpectrum(spectrum: readonly number[], damping: number): string {
  const top = Math.log10(spectrum[0] ?? NaN);
  const bars = spectrum.map((value) => {
    const height = value > 0 ? 1 + (Math.log10(value) - top) / DECADES : 0;
    return BARS[Math.max(0, Math.round(height * (BARS.length - 1)))] ?? '';
  });
  const above = spectrum.filter((value) => value > damping).length;
  return `${bars.slice(0, above).join('')}|${colors.dim(bars.slice(above).join(''))}`;
}
