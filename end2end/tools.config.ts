import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** What is made with the browser rather than tested in it: icons, pictures, measurements. One after the other. */
export default defineConfig({
  ...tests,
  testDir: 'tools',
  testMatch: '*.tool.ts',
  workers: 1,
  timeout: 180_000,
});
