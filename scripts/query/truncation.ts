/** Says that a text was cut off: on stderr, since answers may be read by machines. */
import { colors } from '../terminal/colors';

export function onTruncated(where: string, tokens: number): void {
  console.error(colors.yellow(`${where}: the text was cut off after ${tokens} tokens, as the run's own are`));
}
