import type { Locator, Page } from '@playwright/test';
import { connectNow, connected, enter, field, say, signIn, tell, unique, written } from './support/people';
import { Proxy } from './support/proxy';
import { holdScript } from './support/script';
import { expect, test } from './support/test';

/** How bright a computed colour is, as it is painted. */
const brightness = (it: Locator, what: 'color' | 'backgroundColor') =>
  it.evaluate((it, what) => {
    const paint = document.createElement('canvas').getContext('2d')!;
    paint.fillStyle = getComputedStyle(it)[what];
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((part) => (part / 255) ** 2.2);
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  }, what);

const css = (it: Locator, property: string) => it.evaluate((it, property) => getComputedStyle(it).getPropertyValue(property), property);

async function box(it: Locator) {
  const box = (await it.boundingBox())!;
  return { ...box, right: box.x + box.width, bottom: box.y + box.height };
}

/** Two people's messages in a room; the first is Megan's. */
async function conversation(page: Page, url: string, me = unique('지우')): Promise<void> {
  const room = unique('looks');
  await written(page, url, unique('Megan'), room, ['Hello']);
  await enter(page, url, me, room);
  await tell(page, 'And hello');
}

for (const width of [320, 768, 1280, 1920]) {
  test(`what is read and what is written share one column, and a row reaches to both edges: ${width} px`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 900 });
    await conversation(page, server.url);
    await tell(page, 'a fairly ordinary word '.repeat(30).trim());
    const [log, composer, avatar, row, text] = await Promise.all(
      ['.log', '.composer', '.log .av', '.log .m', '.log .m:last-child .text'].map((it) => box(page.locator(it).first())),
    );
    expect(row!.x).toBe(log!.x);
    expect(row!.right).toBe(log!.right);
    expect(Math.abs(avatar!.x - composer!.x)).toBeLessThan(1);
    expect(text!.right).toBeLessThanOrEqual(composer!.right + 1);
    // Where there is more than the column needs, it stands in the middle.
    const [before, after] = [composer!.x - log!.x, log!.right - composer!.right];
    expect(Math.abs(before - after)).toBeLessThan(2);
    if (width === 1920) expect(before).toBeGreaterThan(100);
  });
}

test('the composer is quiet while one reads, and a ring says where one writes', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('quiet'));
  const composer = page.locator('.composer');
  await page.locator('.log').focus();
  expect([await css(composer, 'border-top-width'), await css(composer, 'box-shadow')]).toEqual(['1px', 'none']);
  const rest = await css(composer, 'border-top-color');
  await field(page).focus();
  expect(await css(composer, 'border-top-width')).toBe('1px');
  expect(await css(composer, 'border-top-color')).not.toBe(rest);
  expect(await css(composer, 'box-shadow')).toContain('0px 0px 0px 3px');
});

test('the button to send shows whether there is something to send, can be pressed all the same, and does not move', async ({ page, server }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await enter(page, server.url, unique('지우'), unique('empty'));
  const send = page.locator('.send');
  const [ground, place] = [await css(send, 'background-color'), await box(send)];
  await field(page).fill('a');
  expect(await css(send, 'background-color')).not.toBe(ground);
  expect(await box(send)).toEqual(place);
  await field(page).fill('');
  expect(await css(send, 'background-color')).toBe(ground);
  await send.click();
  await expect(page.locator('#text-problem')).toHaveAttribute('data-code', 'text_empty');
});

test('who is typing stands on the edge of the composer: no strip is kept free for it', async ({ browser, page, server }) => {
  const room = unique('strip');
  await enter(page, server.url, unique('지우'), room);
  const [log, composer] = [await box(page.locator('.log')), await box(page.locator('.composer'))];
  expect(composer.y - log.bottom).toBeLessThanOrEqual(8);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  const typing = page.locator('.typing');
  // A sign of it may be missed: another follows for as long as she writes.
  await expect(async () => {
    await field(other).pressSequentially('I am wri');
    await expect(typing).toContainText('is typing', { timeout: 1_000 });
  }).toPass();
  const line = await box(typing);
  expect(line.y).toBeLessThan(composer.y);
  expect(line.bottom).toBeGreaterThan(composer.y);
  expect(await box(page.locator('.composer'))).toEqual(composer);
  await other.context().close();
});

test('one’s own messages stand out, also in the reader’s own colours', async ({ page, server }) => {
  const me = unique('지우');
  await conversation(page, server.url, me);
  const names = page.locator('.log .by b');
  await expect(names).toHaveCount(2);
  expect(await css(names.nth(1), 'color')).not.toBe(await css(names.nth(0), 'color'));
  await page.emulateMedia({ forcedColors: 'active' });
  expect(await css(names.nth(1), 'text-decoration-line')).not.toBe(await css(names.nth(0), 'text-decoration-line'));
});

test('in the dark what is pressed is not brighter than what is read', async ({ page, server }) => {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.goto(server.url);
  expect(await brightness(page.locator('.go'), 'backgroundColor')).toBeLessThan(await brightness(page.locator('.lead'), 'color'));
  await conversation(page, server.url);
  await field(page).fill('a');
  expect(await brightness(page.locator('.send'), 'backgroundColor')).toBeLessThan(await brightness(page.locator('.log .text').first(), 'color'));
});

test('avatars are coloured enough to tell people apart, in sixteen looks', async ({ page, server }) => {
  await conversation(page, server.url);
  const avatar = page.locator('.log .av').first();
  const looks = new Set<string>();
  for (let n = 0; n < 16; n++) {
    await avatar.evaluate((it, n) => it.setAttribute('class', `av hue-${n}`), n);
    looks.add(await css(avatar, 'background-color'));
  }
  expect(looks.size).toBe(16);
  const chroma = [...looks].map((look) => Number(/oklch\([\d.]+ ([\d.]+)/.exec(look)![1]));
  expect(Math.min(...chroma)).toBeGreaterThanOrEqual(0.08);
});

test.describe('how much room a message takes', () => {
  test('is chosen in place, kept for the device, and there before the script', async ({ browser, page, server }) => {
    await conversation(page, server.url);
    await tell(page, 'one more');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await page.getByRole('link', { name: 'Compact', exact: true }).click();
    await expect(page.locator('html')).toHaveAttribute('data-density', 'compact');
    await expect(page.getByRole('link', { name: 'Compact', exact: true })).toHaveAttribute('aria-current', 'true');
    expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
    const compact = async (page: Page) => {
      await expect(page.locator('.log .av').first()).toBeHidden();
      const rows = page.locator('.log .m[data-seq]');
      const heights = await rows.evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
      expect(heights).toEqual(heights.map(() => 24));
      const texts = await rows.locator('.text').evaluateAll((all) => all.map((it) => it.getBoundingClientRect().x));
      expect(new Set(texts).size).toBe(1);
      const name = await box(rows.first().locator('.by b'));
      expect([name.width, name.right < texts[0]!]).toEqual([120, true]);
    };
    await page.keyboard.press('Escape');
    await compact(page);
    // From the server, so that the first paint is right already.
    const context = await browser.newContext({ javaScriptEnabled: false });
    await context.addCookies(await page.context().cookies());
    const plain = await context.newPage();
    await plain.goto(page.url());
    await compact(plain);
    await plain.getByRole('button', { name: 'Settings' }).click();
    await plain.getByRole('link', { name: 'Comfortable', exact: true }).click();
    await expect(plain).toHaveURL(page.url());
    await expect(plain.locator('.log .av').first()).toBeVisible();
    await context.close();
  });

  test('leaves a phone its width', async ({ page, server }) => {
    await page.setViewportSize({ width: 320, height: 640 });
    await page.context().addCookies([{ name: 'density', value: 'compact', url: server.url }]);
    await conversation(page, server.url);
    await tell(page, 'And another');
    for (const text of await page.locator('.log .text').all()) expect((await box(text)).x).toBeLessThan(24);
    // It would lie over the text, and take the taps that are meant for it.
    await expect(page.locator('.m > .at')).toHaveCount(1);
    await expect(page.locator('.m > .at')).toBeHidden();
  });
});

test('settings are switches that say on or off in one sense', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('switches'));
  await page.getByRole('button', { name: 'Settings' }).click();
  const panel = page.getByRole('dialog', { name: 'Settings' });
  await expect(panel.getByRole('switch')).toHaveCount(2);
  for (const name of await panel.getByRole('switch').evaluateAll((all) => all.map((it) => it.closest('label')!.textContent))) {
    expect(name).not.toMatch(/\b(no|not|never|mute|off)\b/i);
  }
  const chosen = panel.getByRole('link', { name: 'English' });
  expect((await box(chosen)).height).toBeGreaterThanOrEqual(24);
  expect(await css(chosen, 'background-color')).not.toBe(await css(panel.getByRole('link', { name: '한국어' }), 'background-color'));
});

test('sign-in says what this is, also on a phone', async ({ page, server }) => {
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 844 });
    await page.goto(server.url);
    const facts = page.getByRole('complementary').getByRole('listitem');
    await expect(facts).toHaveCount(3);
    for (const fact of await facts.all()) {
      await fact.scrollIntoViewIfNeeded();
      await expect(fact).toBeInViewport({ ratio: 1 });
    }
    const heights = await page.locator('.seg').evaluateAll((all) => all.map((it) => it.getBoundingClientRect().height));
    expect(heights).toEqual([28, 28]);
  }
});

test('a page that says what went wrong stands in the middle, and does not shout a number', async ({ page, server }) => {
  await page.goto(`${server.url}/nothing`);
  const [main, heading, status] = [await box(page.locator('main')), await box(page.locator('h1')), page.locator('.status')];
  expect(heading.y).toBeGreaterThan(page.viewportSize()!.height * 0.3);
  expect(heading.bottom).toBeLessThan(page.viewportSize()!.height * 0.6);
  expect(main.bottom).toBeLessThanOrEqual(page.viewportSize()!.height);
  expect(await css(status, 'font-size')).toBe('12px');
  expect(await css(status, 'color')).toBe(await css(page.locator('.lead'), 'color'));
});

test.describe('while the page connects', () => {
  test.use({ serviceWorkers: 'block' });

  for (const reducedMotion of ['no-preference', 'reduce'] as const) {
    test(`the mark nods where motion is welcome, and then is still: ${reducedMotion}`, async ({ page, server }) => {
      const nodding = () => page.evaluate(() => document.querySelector('.side .mark')!.getAnimations({ subtree: true }).length);
      await page.emulateMedia({ reducedMotion });
      const release = await holdScript(page);
      await signIn(page, server.url, unique('지우'), unique('nod'));
      expect((await nodding()) > 0).toBe(reducedMotion === 'no-preference');
      release();
      await connected(page);
      expect(await nodding()).toBe(0);
    });
  }
});

test('a connection that comes back says what went out, once and for a moment, and moves no message', async ({ page, server }) => {
  const net = await Proxy.before(server);
  await conversation(page, net.url);
  const newest = page.locator('.log .text').last();
  net.cut();
  await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
  for (const text of ['one', 'two']) await say(page, text);
  await expect(page.locator('.pending')).toHaveCount(2);
  const place = await box(newest);
  net.restore();
  await connectNow(page);
  const back = page.locator('.banner.good');
  await expect(back).toHaveText('Back! 2 messages went out.');
  const said = page.locator('[role=status][aria-live=polite] p').filter({ hasText: 'Back! 2 messages went out.' });
  await expect(said).toHaveCount(1);
  expect(await box(newest)).toEqual(place);
  await expect(page.locator('.pending')).toHaveCount(0);
  await expect(page.locator('.banner')).toHaveCount(0);
  expect(await box(newest)).toEqual(place);
  await page.close();
  await net.close();
});
