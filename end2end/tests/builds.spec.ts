import type { Page } from '@playwright/test';
import { committed, connected, enter, field, unique } from './support/people';
import { expect, test } from './support/test';

// A worker would answer with a script that it has kept.
test.use({ serviceWorkers: 'block' });

/** As when a balancer asks the other build for the script of this one: so many times there is none. Returns how often it was asked for,
 * and how many pages were loaded. */
async function withoutScript(page: Page, times: number): Promise<{ asked: () => number; loads: () => number }> {
  let [asked, loads] = [0, 0];
  await page.route(/\/pkg\/[^?]*\.js/, (route) => (++asked > times ? route.continue() : route.fulfill({ status: 404, body: 'not here' })));
  page.on('load', () => loads++);
  return { asked: () => asked, loads: () => loads };
}

test('a script that is not there is asked for again, without a new page', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('again'));
  const { loads } = await withoutScript(page, 2);
  await page.reload();
  await connected(page);
  expect(loads()).toBe(1);
});

test('a script that stays away is looked for by one new page', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('reload'));
  let broken = true;
  let loads = 0;
  page.on('load', () => {
    // The balancer sends the second page and all that it asks for to one server.
    if (++loads > 1) broken = false;
  });
  await page.route(/\/pkg\/[^?]*\.js/, (route) => (broken ? route.fulfill({ status: 404 }) : route.continue()));
  await page.reload();
  await connected(page);
  await expect.poll(() => loads).toBe(2);
  await expect(page.locator('.stopped')).toBeHidden();
  // It may help another time as well.
  expect(await page.evaluate(() => sessionStorage.getItem('hubbub.again'))).toBeNull();
});

test('where the script never comes the page says so, once and for all, and sends all the same', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('never'));
  const { asked, loads } = await withoutScript(page, Infinity);
  await page.reload();
  await expect(page.getByRole('alert').filter({ hasText: 'This page has stopped' })).toBeVisible({ timeout: 15_000 });
  await expect(page.locator('.me .state')).toHaveText('Stopped');
  expect(loads()).toBe(2);
  const before = asked();
  await field(page).fill('still here');
  await field(page).press('Enter');
  await expect(page.locator('.log')).toContainText('still here');
  // A page that was posted to tries as well, but loads no further one.
  await expect(page.getByRole('alert').filter({ hasText: 'This page has stopped' })).toBeVisible({ timeout: 15_000 });
  expect(asked()).toBeGreaterThan(before);
  expect(loads()).toBe(3);
  expect(await committed(page)).toEqual(['still here']);
});

test('what was wished to be sent goes out even where the script never comes, once', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('wished'));
  await withoutScript(page, Infinity);
  await page.reload({ waitUntil: 'commit' });
  await field(page).fill('by Enter');
  await field(page).press('Enter');
  await expect(page.locator('.log [data-seq]')).toHaveCount(1, { timeout: 15_000 });
  expect(await committed(page)).toEqual(['by Enter']);
  await expect(field(page)).toHaveValue('');
});

test('what is being typed is not taken away by a new page', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('typing'));
  const { loads } = await withoutScript(page, Infinity);
  await page.reload({ waitUntil: 'commit' });
  await field(page).fill('half a thought');
  await expect(page.locator('html')).toHaveAttribute('data-script', 'stopped', { timeout: 15_000 });
  await expect(field(page)).toHaveValue('half a thought');
  expect(loads()).toBe(1);
});
