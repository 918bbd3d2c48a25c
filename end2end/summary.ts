import { relative } from 'node:path';
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** So many tests may need their second try; see docs/decisions. */
const SECOND_TRIES = 2;

/** Says at the very end, in a line each, what failed and why: a long log is often kept by its end only. */
export default class Summary implements Reporter {
  readonly #failures = new Map<TestCase, string>();

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === test.expectedStatus) return;
    // The colours of a terminal.
    const why = (result.error?.message ?? result.status).replace(/\u001b\[[0-9;]*m/g, '');
    this.#failures.set(test, why.split('\n').map((line) => line.trim()).filter(Boolean).slice(0, 5).join(' | '));
  }

  async onEnd(): Promise<{ status?: FullResult['status'] }> {
    const flaky = [...this.#failures.keys()].filter((test) => test.outcome() === 'flaky');
    for (const [test, why] of this.#failures) {
      const tries = test.outcome() === 'flaky' ? ' (passed at the second try)' : '';
      console.log(`FAIL  ${relative('.', test.location.file)}:${test.location.line} ${test.title}${tries}: ${why.slice(0, 600)}`);
    }
    if (flaky.length <= SECOND_TRIES) return {};
    console.log(`FAIL  ${flaky.length} tests passed only at their second try: more than ${SECOND_TRIES} is a fault`);
    return { status: 'failed' };
  }
}
