import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

/** The system's Chromium: nothing is downloaded for these tests. */
function chromium(): string {
  const usual = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (existsSync(usual)) return usual;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new Error('There is no Chromium: run scripts/setup.sh test, or name one in $CHROMIUM.');
}

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  forbidOnly: Boolean(process.env.CI),
  // A test that passes at the second try is a fault in the test or in Hubbub, and is told as one (summary.ts). A run that
  // decides about a change allows for one or two of them all the same: hundreds of tests share a small machine.
  retries: process.env.CI ? 1 : 0,
  workers: Number(process.env.WORKERS ?? 2),
  // Several people in as many pages of a busy machine take their time.
  timeout: 60_000,
  expect: { timeout: 5_000 },
  reporter: [['list'], ['./summary.ts']],
  use: {
    browserName: 'chromium',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: chromium(),
      args: [
        // Root may not use Chromium's sandbox: containers, CI.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        // The browser talks to the server under test and to nobody else.
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-domain-reliability',
        '--disable-quic',
        '--disable-sync',
        '--no-first-run',
        '--no-default-browser-check',
      ],
    },
  },
});
