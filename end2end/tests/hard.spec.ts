import type { Page } from '@playwright/test';
import { committed, connected, enter, field, say, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { expect, test } from './support/test';

const sideways = (page: Page) =>
  page.evaluate(() => {
    const log = document.querySelector('.log')!;
    return Math.max(log.scrollWidth - log.clientWidth, document.documentElement.scrollWidth - innerWidth);
  });

/** By the browser's own clipboard and keys. */
async function paste(page: Page, text: string): Promise<void> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate((text) => navigator.clipboard.writeText(text), text);
  await field(page).focus();
  await page.keyboard.press('Control+v');
}

test('ten thousand pasted lines are refused with the limit shown, and kept', async ({ page, server }) => {
  test.setTimeout(60_000);
  await enter(page, server.url, unique('지우'), unique('paste'));
  const text = Array.from({ length: 10_000 }, (_, i) => `line ${i + 1}`).join('\n');
  await paste(page, text);
  await expect(field(page)).toHaveValue(text);
  await field(page).press('Enter');
  await expect(page.locator('#text-problem')).toHaveAttribute('data-code', 'text_too_long');
  await expect(page.locator('#text-problem')).toContainText('4,000');
  expect(await field(page).inputValue()).toBe(text);
  expect(await committed(page)).toEqual([]);
  // Cut to what is allowed, it goes out.
  await field(page).press('Control+a');
  await paste(page, 'short enough');
  await expect(page.locator('#text-problem')).toBeEmpty();
  await field(page).press('Enter');
  await expect.poll(() => committed(page)).toEqual(['short enough']);
});

for (const width of [320, 1280]) {
  test(`a word of 4,000 characters widens nothing at ${width} px`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 700 });
    await enter(page, server.url, unique('지우'), unique('wide'));
    const words = ['W'.repeat(4_000), '가'.repeat(4_000), '👩‍💻'.repeat(800), 'غ'.repeat(4_000)];
    for (const word of words) await say(page, word);
    await expect.poll(() => committed(page), { timeout: 15_000 }).toEqual(words);
    expect(await sideways(page)).toBeLessThanOrEqual(0);
    await page.reload();
    expect(await sideways(page)).toBeLessThanOrEqual(0);
  });
}

test('a right-to-left name turns nothing around it, a left-to-right one nothing in its room', async ({ page, browser, server }) => {
  const [room, name] = [unique('غرفة الدردشة'), unique('مريم')];
  await enter(page, server.url, name, room);
  await say(page, 'Hello (1)');
  await say(page, 'مرحبا (2)');
  await expect.poll(() => committed(page)).toEqual(['Hello (1)', 'مرحبا (2)']);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  for (const tab of [page, other]) {
    const line = await tab.locator('.log .by').first().evaluate((by) => {
      const box = (it: Element) => it.getBoundingClientRect();
      return { name: box(by.querySelector('bdi')!).left, time: box(by.querySelector('time')!).left };
    });
    expect(line.time, 'the time stays to the right of the name').toBeGreaterThan(line.name);
    const directions = await tab.locator('.log .text').evaluateAll((texts) => texts.map((it) => getComputedStyle(it).direction));
    expect(directions).toEqual(['ltr', 'rtl']);
    for (const bidi of ['h1 bdi', '.people bdi', '.me bdi']) await expect(tab.locator(bidi).first()).toBeAttached();
  }
  await expect(page.locator('html')).toHaveAttribute('dir', 'ltr');
  await other.context().close();
});

for (const hours of [-1, 1]) {
  test(`a clock that is wrong by ${hours} hour changes no order and no time of others`, async ({ page, browser, server }) => {
    const room = unique('clock');
    const other = await (await browser.newContext({ timezoneId: 'UTC' })).newPage();
    await enter(other, server.url, unique('Megan'), room);
    await say(other, 'one');
    await expect.poll(() => committed(other)).toEqual(['one']);
    await page.clock.install({ time: Date.now() + hours * 3_600_000 });
    await enter(page, server.url, unique('지우'), room);
    await say(page, 'two');
    await say(other, 'three');
    const times = (tab: Page) => tab.locator('.log .m[data-seq] time').evaluateAll((all) => all.map((it) => Date.parse((it as HTMLTimeElement).dateTime)));
    for (const tab of [page, other]) await expect.poll(() => committed(tab)).toHaveLength(3);
    expect(await committed(page)).toEqual(await committed(other));
    const [here, there] = [await times(page), await times(other)];
    expect(here).toEqual(there);
    expect(here.toSorted((a, b) => a - b)).toEqual(here);
    // Told to the minute.
    expect(Math.abs(here[1]! - Date.now())).toBeLessThan(120_000);
    await other.context().close();
  });
}

test('two tabs that send at once: all of it once, each in its order', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('two tabs'));
  const twin = await page.context().newPage();
  await twin.goto(page.url());
  await connected(twin);
  const burst = (from: string) => Array.from({ length: 20 }, (_, i) => `${from} ${i + 1}`);
  await Promise.all([page, twin].map(async (tab, i) => {
    for (const text of burst(i ? 'twin' : 'first')) await say(tab, text);
  }));
  for (const tab of [page, twin]) await expect.poll(async () => (await committed(tab)).length).toBe(40);
  const all = await committed(page);
  expect(await committed(twin)).toEqual(all);
  for (const from of ['first', 'twin']) expect(all.filter((it) => it.startsWith(`${from} `))).toEqual(burst(from));
});

test('a page that comes back from the browser’s memory is up to date and sends once', async ({ page, browser, server }) => {
  const room = unique('memory');
  await enter(page, server.url, unique('지우'), room);
  const url = page.url();
  await tell(page, 'before');
  await page.goto(`${server.url}/rooms`);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  await say(other, 'meanwhile');
  await expect.poll(() => committed(other)).toContain('meanwhile');
  await page.goBack();
  expect(page.url()).toBe(url);
  await connected(page);
  await expect.poll(() => committed(page)).toEqual(['before', 'meanwhile']);
  await say(page, 'after');
  for (const tab of [page, other]) await expect.poll(() => committed(tab)).toEqual(['before', 'meanwhile', 'after']);
  // As the browser says it when it kept the page whole, with its timers and signals as they were.
  const reloaded = page.waitForEvent('load');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await reloaded;
  await connected(page);
  expect(await committed(page)).toEqual(['before', 'meanwhile', 'after']);
  await other.context().close();
});

test('a second person in the same browser finds nothing of the first and cannot send as them', async ({ page, server }) => {
  const [room, first, second] = [unique('shared'), unique('지우'), unique('Megan')];
  const net = await Proxy.before(server);
  try {
    await enter(page, net.url, first, room);
    await tell(page, 'by the first');
    net.cut();
    await say(page, 'never sent');
    await expect(page.locator('.pending')).toHaveCount(1);
    await field(page).fill('a draft');
    page.once('dialog', (dialog) => void dialog.accept());
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.locator('#name')).toBeVisible();
    net.restore();
    await enter(page, net.url, second, room);
    await expect(field(page)).toHaveValue('');
    await say(page, 'by the second');
    await expect.poll(() => committed(page)).toEqual(['by the first', 'by the second']);
    const names = page.locator('.log .by bdi');
    await expect(names).toHaveText([first, second]);
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    expect(kept).not.toContain('never sent');
    expect(kept).not.toContain('a draft');
  } finally {
    await page.close();
    await net.close();
  }
});
