/** Colours for a terminal, and none for anything else. */
import { isatty } from 'node:tty';
import { createColors, isColorSupported } from 'picocolors';

// By itself, picocolors also colours what a CI job writes to a file.
export const colors = createColors(isColorSupported && isatty(process.stdout.fd));
