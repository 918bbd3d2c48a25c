import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from '@playwright/test';

const site = resolve(import.meta.dirname, '../../public');

/** Side in pixels, how much of it the mark takes. A maskable icon may be cut to a circle of 80 %; Apple rounds corners. */
const icons = [
  { file: '192.png', side: 192, mark: 0.72, radius: 0.22 },
  { file: '512.png', side: 512, mark: 0.72, radius: 0.22 },
  { file: 'maskable-512.png', side: 512, mark: 0.52, radius: 0 },
  { file: 'apple-touch.png', side: 180, mark: 0.64, radius: 0 },
] as const;

test('icons', async ({ page }) => {
  const svg = await readFile(resolve(site, 'favicon.svg'), 'utf8');
  for (const { file, side, mark, radius } of icons) {
    await page.setViewportSize({ width: side, height: side });
    await page.setContent(`<style>
      * { margin: 0 }
      html { background: transparent }
      body { width: ${side}px; height: ${side}px; display: grid; place-items: center;
             background: #fdfcf9; border-radius: ${side * radius}px }
      svg { width: ${side * mark}px; height: ${side * mark}px }
    </style>${svg}`);
    await page.screenshot({ path: resolve(site, 'icons', file), omitBackground: radius > 0 });
  }
});
