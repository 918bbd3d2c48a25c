import type { Page } from '@playwright/test';
import { connected, enter, field, unique } from './support/people';
import { expect, test } from './support/test';

const drafts = (page: Page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('hubbub.draft.')).length);

test('a draft survives a reload and a session that ended, and nobody else finds it', async ({ context, page, server }) => {
  const [room, name] = [unique('draft'), unique('지우')];
  await enter(page, server.url, name, room);
  const url = page.url();
  await field(page).fill('반쯤 쓴');
  await expect.poll(() => drafts(page)).toBe(1);
  await page.reload();
  await connected(page);
  await expect(field(page)).toHaveValue('반쯤 쓴');

  // The session is gone without anybody signing out: the door stands where the room was.
  await context.clearCookies({ name: /.*/ });
  await page.goto(url);
  await expect(page.getByRole('button', { name: 'Enter', exact: true })).toBeVisible();
  expect(await drafts(page)).toBe(1);

  const other = unique('하은');
  await enter(page, server.url, other, room);
  await expect(field(page)).toHaveValue('');
  expect(await drafts(page)).toBe(0);
});

test('signing out erases every draft, and so does sending', async ({ page, server }) => {
  const room = unique('erase');
  await enter(page, server.url, unique('지우'), room);
  await field(page).fill('보낼 것');
  await expect.poll(() => drafts(page)).toBe(1);
  await field(page).press('Enter');
  await expect.poll(() => drafts(page)).toBe(0);
  await field(page).fill('남길 것');
  await expect.poll(() => drafts(page)).toBe(1);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('button', { name: 'Enter', exact: true })).toBeVisible();
  expect(await drafts(page)).toBe(0);
});

test('where nothing can be stored, a draft lasts as long as the page', async ({ page, server }) => {
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  const [one, two] = [unique('one'), unique('two')];
  await enter(page, server.url, unique('지우'), one);
  await page.goto(`${server.url}/rooms`);
  await page.getByLabel('New room').fill(two);
  await page.getByRole('button', { name: 'Create' }).click();
  await connected(page);
  await field(page).fill('여기만');
  await page.locator('.rooms').getByRole('link', { name: one }).click();
  await expect(field(page)).toHaveValue('');
  await page.locator('.rooms').getByRole('link', { name: two }).click();
  await expect(field(page)).toHaveValue('여기만');
});
