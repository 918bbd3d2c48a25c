import { committed, enter, field, signIn, unique } from './support/people';
import { expect, test } from './support/test';

const LIMIT = 4_000;
const NEAR = 3_600;

test('near the limit one is told how much is left, and beyond it how much to cut, without anything moving', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('limit'));
  const count = page.locator('#text-length');
  const said = page.getByRole('status');
  await field(page).fill('가'.repeat(NEAR - 1));
  await expect(count).toBeEmpty();
  const before = await field(page).boundingBox();
  await field(page).fill('가'.repeat(NEAR));
  await expect(count).toHaveText('400 characters left');
  await expect(said).toContainText('400 characters left');
  expect(await field(page).boundingBox()).toEqual(before);
  await field(page).press('End');
  await field(page).pressSequentially('abc');
  await expect(count).toHaveText('397 characters left');
  await expect(said, 'not with each letter').not.toContainText('397');
  await field(page).fill(`${'🎉'.repeat(LIMIT)}\n \n`);
  await expect(count, 'as the server counts').toHaveText('0 characters left');
  await field(page).fill('a'.repeat(LIMIT + 12));
  await expect(count).toHaveText('12 characters too many');
  await expect(said).toContainText('12 characters too many');
  await expect(field(page)).toHaveAccessibleDescription(/12 characters too many/);
  await expect(count).toBeInViewport({ ratio: 1 });
  await field(page).fill('a'.repeat(LIMIT));
  await field(page).press('Enter');
  await expect.poll(async () => (await committed(page)).length).toBe(1);
  await expect(count).toBeEmpty();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('a form that was refused says how much to cut', async ({ page, server }) => {
    await signIn(page, server.url, unique('지우'), unique('limit'));
    await field(page).fill('a'.repeat(LIMIT + 7));
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(page.locator('#text-length')).toHaveText('7 characters too many');
  });
});
