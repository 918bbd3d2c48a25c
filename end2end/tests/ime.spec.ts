import type { Page } from '@playwright/test';
import { InputMethod } from './support/ime';
import { committed, enter, field, say, unique } from './support/people';
import { expect, test } from './support/test';

/** Everything that was sent, once nothing is on its way: a message after it could not have overtaken another one. */
async function sent(page: Page): Promise<string[]> {
  await field(page).fill('');
  await say(page, 'the last one');
  await expect(page.locator('.log')).toContainText('the last one');
  await expect(page.locator('.pending')).toHaveCount(0);
  return (await committed(page)).slice(0, -1);
}

test.beforeEach(async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('ime'));
  await field(page).focus();
});

type Order = (ime: InputMethod, end: () => Promise<void>) => Promise<void>;

/** The one Enter of a person, as browsers report it. `end` ends the composition. */
const orders: Record<string, Order> = {
  'as 229 while composing': async (ime, end) => {
    await ime.takenEnter();
    await end();
  },
  'as 229 while composing and plain after it': async (ime, end) => {
    await ime.takenEnter();
    await end();
    await ime.plainEnter();
  },
  'plain before the composition ends': async (ime, end) => {
    await ime.plainEnter();
    await end();
  },
  'plain twice, before and after the end': async (ime, end) => {
    await ime.plainEnter();
    await end();
    await ime.plainEnter();
  },
  'as 229 after the end': async (ime, end) => {
    await end();
    await ime.takenEnter();
  },
  'plain after the end': async (ime, end) => {
    await end();
    await ime.plainEnter();
  },
};

for (const [how, order] of Object.entries(orders)) {
  test(`one Enter sends Korean once, the last syllable intact: ${how}`, async ({ page }) => {
    const ime = await InputMethod.of(page);
    const last = await ime.hangul('안녕하세요');
    await order(ime, () => ime.commit(last));
    await ime.enterUp();
    await expect(page.locator('.log')).toContainText('안녕하세요');
    await expect(field(page)).toHaveValue('');
    expect(await sent(page)).toEqual(['안녕하세요']);
  });
}

test('two Korean messages after one another are two messages', async ({ page }) => {
  const ime = await InputMethod.of(page);
  for (const word of ['첫째', '둘째']) {
    const last = await ime.hangul(word);
    await ime.takenEnter();
    await ime.commit(last);
    await ime.plainEnter();
    await ime.enterUp();
    await expect(field(page)).toHaveValue('');
  }
  expect(await sent(page)).toEqual(['첫째', '둘째']);
});

test('Shift and Enter in the middle of a Korean syllable breaks the line and sends nothing', async ({ page }) => {
  const ime = await InputMethod.of(page);
  await ime.commit(await ime.hangul('한'));
  await page.keyboard.press('Shift+Enter');
  const last = await ime.hangul('글');
  await ime.takenEnter();
  await ime.commit(last);
  await expect(page.locator('.log')).toContainText('글');
  expect(await sent(page)).toEqual(['한\n글']);
});

for (const [language, steps, chosen] of [
  ['Chinese', ['n', 'ni', 'nihao', '你好'], '你好'],
  ['Chinese, the letters themselves', ['n', 'ni', 'nihao'], 'nihao'],
  ['Japanese', ['さ', 'さく', 'さくら', '桜'], '桜'],
] as const) {
  for (const how of ['as 229 while composing', 'as 229 after the end', 'plain before the composition ends'] as const) {
    test(`the Enter that chooses a candidate never sends: ${language}, ${how}`, async ({ page }) => {
      const ime = await InputMethod.of(page);
      for (const step of steps) await ime.compose(step);
      await orders[how]!(ime, () => ime.commit(chosen));
      await ime.enterUp();
      await expect(field(page)).toHaveValue(new RegExp(`^\\s*${chosen}\\s*$`));
      expect(await sent(page)).toEqual([]);
    });
  }

  test(`after the candidate was chosen Enter sends: ${language}`, async ({ page }) => {
    const ime = await InputMethod.of(page);
    for (const step of steps) await ime.compose(step);
    await ime.takenEnter();
    await ime.commit(chosen);
    await ime.enterUp();
    await ime.plainEnter();
    await ime.enterUp();
    await expect(field(page)).toHaveValue('');
    expect(await sent(page)).toEqual([chosen]);
  });
}

test('the button ends a composition and sends it whole', async ({ page }) => {
  const ime = await InputMethod.of(page);
  await ime.hangul('안녕');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(field(page)).toHaveValue('');
  expect(await sent(page)).toEqual(['안녕']);
});
