/** Which layers patterns select. */
import { UnknownLayerError } from '../errors';

/**
 * The `known` paths that any of the patterns selects, in their order. In a pattern `*` stands for any text without a dot,
 * `**` for any text; a path without either selects that layer and those inside it.
 * @throws UnknownLayerError naming the patterns that select nothing
 */
export function selectModules(patterns: readonly string[], known: readonly string[]): string[] {
  const tests = patterns.map((pattern) => ({ pattern, expression: toExpression(pattern) }));
  const unmatched = tests.filter(({ expression }) => !known.some((path) => expression.test(path)));
  if (unmatched.length > 0)
    throw new UnknownLayerError(
      'modules',
      unmatched.map(({ pattern }) => pattern),
      known,
    );
  return known.filter((path) => tests.some(({ expression }) => expression.test(path)));
}

function toExpression(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*?)/)
    .map((text) => (text === '**' ? '.*' : text === '*' ? '[^.]*' : escape(text)))
    .join('');
  return new RegExp(`^${source}(\\..*)?$`);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
