import type { Page } from '@playwright/test';
import { alsoEnter, enter, field, signIn, unique } from './support/people';
import { InputMethod } from './support/ime';
import { expect, test } from './support/test';

function options(page: Page) {
  return page.getByRole('dialog').getByRole('option');
}

test('the switcher finds a Korean room at every key, and never offers to make it', async ({ page, server }) => {
  const [design, lunch, chicken] = [unique('디자인 리뷰'), unique('점심'), unique('닭갈비')];
  await enter(page, server.url, unique('지우'), unique('home'));
  for (const room of [design, lunch, chicken]) await alsoEnter(page, server.url, room);
  await page.evaluate(() => {
    const offered: string[] = [];
    Object.assign(window, { offered });
    new MutationObserver(() => {
      const button = document.querySelector('.switcher .ends button');
      if (button) offered.push(button.textContent ?? '');
    }).observe(document.querySelector('.switcher')!, { childList: true, subtree: true });
  });
  for (const [room, steps] of [
    [design, 'ㄷ 디 딪 디자 디장 디자이 디자인'],
    [lunch, 'ㅈ 저 점 점ㅅ 점시 점심'],
    [chicken, '다 달 닭'],
  ] as const) {
    await field(page).press('Control+k');
    await expect(page.getByRole('combobox')).toBeFocused();
    const ime = await InputMethod.of(page);
    for (const typed of steps.split(' ')) {
      await ime.compose(typed);
      await expect(options(page).filter({ hasText: room }), typed).toBeVisible();
    }
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toBeHidden();
  }
  await field(page).press('Control+k');
  // As macOS copies the name of a file.
  await page.getByRole('combobox').fill('디자인'.normalize('NFD'));
  await expect(options(page).filter({ hasText: design })).toBeVisible();
  expect(await page.evaluate(() => (window as unknown as { offered: string[] }).offered)).toEqual([]);
});

test('the switcher finds rooms that one is not in, and goes there', async ({ browser, page, server }) => {
  const theirs = unique('elsewhere');
  const other = await (await browser.newContext()).newPage();
  await signIn(other, server.url, unique('Megan'), theirs);
  await enter(page, server.url, unique('지우'), unique('home'));
  await field(page).press('Control+k');
  await expect(options(page)).toHaveCount(1);
  await page.keyboard.type(theirs);
  await expect(options(page)).toHaveText([new RegExp(`${theirs}.*not joined`)]);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: theirs })).toBeVisible();
  await expect(page.locator('.rooms')).toContainText(theirs);
  await other.context().close();
});

test('while the directory is on its way no room is offered to be made', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('home'));
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/rooms.json', async (route) => {
    await held;
    await route.continue();
  });
  await field(page).press('Control+k');
  await page.getByRole('combobox').fill(unique('is it there'));
  await expect(options(page)).toHaveCount(0);
  const make = page.getByRole('dialog').getByRole('button', { name: 'Create' });
  await expect(make).toHaveCount(0);
  release();
  await expect(make).toBeVisible();
});

test('a button closes the switcher, where nothing else does', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('home'));
  await field(page).press('Control+k');
  const close = page.getByRole('dialog').getByRole('button', { name: 'Close' });
  const [button, cross] = [(await close.boundingBox())!, (await close.locator('svg').boundingBox())!];
  expect(cross.x > button.x && cross.x + cross.width < button.x + button.width, 'the cross is on its button').toBe(true);
  await close.click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a closing that is told late does not close a switcher that was opened again', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('home'));
  await field(page).press('Control+k');
  await page.getByRole('combobox').fill('half a name');
  // The browser tells it in a task of its own, which keys may overtake.
  await page.locator('dialog.switcher').evaluate((it) => it.dispatchEvent(new Event('close')));
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => setTimeout(painted))));
  await expect(page.getByRole('combobox')).toHaveValue('half a name');
});
