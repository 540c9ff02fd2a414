/** Jest reporter that ends the run with one line for machines: `123 passed, 0 failed`. */
const { writeSync } = require('node:fs');

module.exports = class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    // A spec file that does not even load has no tests to count, yet it has failed.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // Other reporters still write after this hook; nothing does after `exit`.
    process.once('exit', () => writeSync(1, `${results.numPassedTests} passed, ${failed} failed\n`));
  }
};
