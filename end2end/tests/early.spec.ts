import type { Page } from '@playwright/test';
import { InputMethod } from './support/ime';
import { committed, connected, enter, field, unique } from './support/people';
import { holdScript } from './support/script';
import { expect, test } from './support/test';

// A worker would answer with a script that it has kept.
test.use({ serviceWorkers: 'block' });

/** A room whose script does not come before what this returns is called. */
async function early(page: Page, url: string, before?: () => Promise<unknown>): Promise<() => void> {
  await enter(page, url, unique('지우'), unique('early'));
  await before?.();
  const release = await holdScript(page);
  await page.reload({ waitUntil: 'commit' });
  await page.waitForLoadState('domcontentloaded');
  return release;
}

const waiting = (page: Page) => page.locator('.foot .wish');

test('what is sent by Enter before the script is there waits in sight, and goes out once, in order', async ({ page, server }) => {
  const release = await early(page, server.url);
  await field(page).fill('one');
  await field(page).press('Enter');
  await expect(field(page)).toHaveValue('');
  await expect(waiting(page)).toHaveText(['one']);
  await expect(page.getByText('Sends as soon as the page is ready')).toBeVisible();
  await field(page).fill('two\nlines');
  await field(page).press('Control+Enter');
  await field(page).press('Enter');
  await expect(waiting(page)).toHaveText(['one', 'two\nlines']);
  await field(page).fill('half a thought');
  release();
  await connected(page);
  await expect.poll(() => committed(page)).toEqual(['one', 'two\nlines']);
  await expect(waiting(page)).toHaveCount(0);
  await expect(field(page)).toHaveValue('half a thought');
  await page.reload();
  await connected(page);
  await expect(field(page)).toHaveValue('half a thought');
  expect(await committed(page)).toEqual(['one', 'two\nlines']);
});

test('Enter breaks the line where it does later: with Shift, and where that is set', async ({ page, server }) => {
  const release = await early(page, server.url, () => page.evaluate(() => localStorage.setItem('hubbub.set.enter', 'off')));
  await field(page).pressSequentially('a');
  await field(page).press('Enter');
  await field(page).pressSequentially('b');
  await page.evaluate(() => localStorage.setItem('hubbub.set.enter', 'on'));
  await field(page).press('Shift+Enter');
  await field(page).pressSequentially('c');
  await expect(field(page)).toHaveValue('a\nb\nc');
  await expect(waiting(page)).toHaveCount(0);
  release();
  await connected(page);
  await expect(field(page)).toHaveValue('a\nb\nc');
});

test.describe('with fingers', () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });

  test('Enter breaks the line', async ({ page, server }) => {
    const release = await early(page, server.url);
    await field(page).pressSequentially('a');
    await field(page).press('Enter');
    await expect(field(page)).toHaveValue('a\n');
    release();
    await connected(page);
    await expect(field(page)).toHaveValue('a\n');
  });
});

test('one Enter is enough for Korean, and the one that chooses a candidate sends nothing', async ({ page, server }) => {
  const release = await early(page, server.url);
  const ime = await InputMethod.of(page);
  await field(page).focus();
  await ime.hangul('안녕');
  await ime.takenEnter();
  await ime.enterUp();
  await expect(waiting(page)).toHaveText(['안녕']);
  await ime.compose('nihao');
  await ime.takenEnter();
  await ime.commit('你好');
  await ime.enterUp();
  await expect(field(page)).toHaveValue('你好');
  await expect(waiting(page)).toHaveText(['안녕']);
  release();
  await connected(page);
  await expect.poll(() => committed(page)).toEqual(['안녕']);
  await expect(field(page)).toHaveValue('你好');
});

test('what is refused comes back into the field with the reason, before what was typed since', async ({ page, server }) => {
  const release = await early(page, server.url);
  const long = 'a'.repeat(4_001);
  await field(page).fill(long);
  await field(page).press('Enter');
  await field(page).fill('after it');
  release();
  await connected(page);
  await expect(field(page)).toHaveValue(`${long}\nafter it`);
  await expect(page.locator('#text-problem')).toContainText('4,000');
  expect(await committed(page)).toEqual([]);
});

test('a draft from before is not lost to what is sent early', async ({ page, server }) => {
  const release = await early(page, server.url, () => field(page).fill('half a thought'));
  await field(page).fill('one');
  await field(page).press('Enter');
  release();
  await connected(page);
  await expect.poll(() => committed(page)).toEqual(['one']);
  await expect(field(page)).toHaveValue('half a thought');
});

test('a page that goes before its script came leaves what was typed and what waits to the next one', async ({ page, server }) => {
  const release = await early(page, server.url);
  await field(page).fill('one');
  await field(page).press('Enter');
  await field(page).fill('two');
  await page.reload({ waitUntil: 'commit' });
  release();
  await connected(page);
  await expect(field(page)).toHaveValue('one\ntwo');
  expect(await committed(page)).toEqual([]);
});
