/** This package's version, as runs record it. */
export const VERSION = '0.1.0';
