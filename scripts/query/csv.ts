/** Answers as a table for a spreadsheet, RFC 4180: one line for each hit. */
import { writeFileAtomic } from '../../lib/store/disk';
import type { Answer } from './session';

const HEAD = ['query', 'end', 'rank', 'run', 'store', 'example', 'score', 'label', 'text', 'steps', 'epochs'];

/** Writes `answers` as `file`, replacing any there is. @throws DiskWriteError */
export function writeCsv(file: string, answers: readonly Answer[]): void {
  writeFileAtomic(file, [Buffer.from(toCsv(answers))]);
}

/** `steps` and `epochs` are those that saw the example, with spaces between. */
function toCsv(answers: readonly Answer[]): string {
  const lines = answers.flatMap(({ questions, trace }) =>
    (['highest', 'lowest'] as const).flatMap((end) =>
      trace[end].map(({ source, example, score, query, record, seen }, i) => {
        const asked =
          query === null || questions.length === 1 ? questions : questions.slice(query, query + 1);
        return [
          asked.map(({ title }) => title).join('; '),
          end,
          i + 1,
          source.run,
          source.store,
          example,
          score,
          record?.label,
          record?.text,
          seen.map(({ step }) => step).join(' '),
          [...new Set(seen.map(({ epoch }) => epoch))].join(' '),
        ];
      }),
    ),
  );
  return [HEAD, ...lines].map((cells) => `${cells.map(quote).join(',')}\r\n`).join('');
}

function quote(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
