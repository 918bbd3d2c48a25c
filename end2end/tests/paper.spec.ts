import type { Page } from '@playwright/test';
import { alsoEnter, connected, enter, field, signIn, tell, unique } from './support/people';
import { expect, test } from './support/test';

async function fill(page: Page, texts: readonly string[]): Promise<void> {
  for (const [n, text] of texts.entries()) {
    const form = { text, p: (n + 1).toString(16).padStart(16, '0'), n: '1' };
    await page.request.post(page.url(), { form, maxRedirects: 0 });
  }
}

test('printing prints all of the conversation that is loaded, and nothing to press', async ({ page, server }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await signIn(page, server.url, unique('지우'), unique('paper'));
  const long = Array.from({ length: 60 }, (_, n) => `line ${n + 1} of a long one`).join('\n');
  await fill(page, [...Array.from({ length: 49 }, (_, n) => `message ${n + 1} ${'word '.repeat(n % 40)}`), long]);
  await page.reload();
  await connected(page);
  await field(page).fill('not sent');

  const pdf = (await page.pdf({ format: 'A4' })).toString('latin1');
  expect(pdf.match(/\/Type\s*\/Page\b/g)!.length).toBeGreaterThan(2);

  await page.emulateMedia({ media: 'print' });
  for (const what of ['.side', '.foot', '.act', '.jump', '.skip', '.tools', 'a.older', '.fold', '.m > .at']) {
    for (const one of await page.locator(what).all()) await expect(one, what).toBeHidden();
  }
  await expect(page.locator('h1')).toBeVisible();
  const found = await page.evaluate(() => {
    const log = document.querySelector('.log')!;
    const rows = [...log.querySelectorAll('.m[data-seq]')].map((row) => row.getBoundingClientRect());
    const cut = [...document.querySelectorAll('html, body, .app, .room, .mid, .log, .col, .text')]
      .filter((it) => ['hidden', 'auto', 'scroll'].includes(getComputedStyle(it).overflowY) || it.scrollHeight > it.clientHeight + 1)
      .map((it) => it.className || it.tagName);
    return {
      rows: rows.length,
      inOrder: rows.every((row, i) => i === 0 || row.top >= rows[i - 1]!.bottom),
      higher: log.getBoundingClientRect().height > 2 * innerHeight,
      cut: cut.filter((it) => it !== 'HTML'),
      ink: getComputedStyle(document.body).color,
      paper: getComputedStyle(document.body).backgroundColor,
    };
  });
  expect(found).toMatchObject({ rows: 50, inOrder: true, higher: true, cut: [] });
  const lightness = (colour: string) => Number(/[\d.]+/.exec(colour)![0]);
  expect(lightness(found.paper), 'dark letters on white, whatever the screen shows').toBeGreaterThan(lightness(found.ink));
});

test.describe('in the reader’s own colours', () => {
  test.use({ contextOptions: { forcedColors: 'active', reducedMotion: 'reduce' } });

  test('what is current, unread, pressed, connected, gone to and written in is told without a colour of ours', async ({ browser, page, server }) => {
    const [room, busy] = [unique('contrast'), unique('busy')];
    await enter(page, server.url, unique('지우'), busy);
    await alsoEnter(page, server.url, room);
    await tell(page, 'gone to');
    const other = await (await browser.newContext()).newPage();
    await enter(other, server.url, unique('Megan'), busy);
    await tell(other, 'unread');
    await other.context().close();
    await expect(page.locator('.rooms .n')).toContainText('1 unread');

    const line = (selector: string, pseudo?: string) =>
      page.locator(selector).first().evaluate((it, pseudo) => {
        const { outlineStyle, outlineWidth, borderInlineStartStyle, borderInlineStartWidth } = getComputedStyle(it, pseudo);
        const width = (style: string, width: string) => (style === 'none' ? 0 : parseFloat(width));
        return { outline: width(outlineStyle, outlineWidth), border: width(borderInlineStartStyle, borderInlineStartWidth) };
      }, pseudo);
    const background = (selector: string, pseudo?: string) =>
      page.locator(selector).first().evaluate((it, pseudo) => getComputedStyle(it, pseudo).backgroundColor, pseudo);

    // The room one is in, and those one is not in.
    expect((await line('.rooms [aria-current]')).outline).toBeGreaterThan(1);
    expect((await line('.rooms a:not([aria-current])')).outline).toBe(0);
    // What is unread there.
    expect((await line('.rooms .n')).border).toBeGreaterThan(0);
    // Connected, by a dot that is filled.
    expect(await background('.state.on', '::before')).toBe(await page.locator('body').evaluate((it) => getComputedStyle(it).color));
    // What sends, and where one writes.
    expect((await line('.send')).border).toBeGreaterThan(0);
    await page.locator('.log').focus();
    expect((await line('.composer')).outline).toBe(0);
    await field(page).focus();
    expect((await line('.composer')).outline).toBeGreaterThan(1);
    // The message that was asked for.
    const at = page.locator('.m[data-seq] .text');
    const before = (await at.boundingBox())!.x;
    expect(await line('.m[data-seq]', '::after')).toEqual({ outline: 0, border: 0 });
    await page.locator('.m[data-seq] a.at').click();
    await expect(page.locator('.m.target')).toBeVisible();
    expect((await line('.m.target', '::after')).border).toBeGreaterThan(2);
    expect((await at.boundingBox())!.x, 'nothing moves').toBe(before);
    // What is chosen of several, and what is switched on.
    await page.getByRole('button', { name: 'Settings' }).click();
    expect((await line('.seg [aria-current]')).outline).toBeGreaterThan(1);
    const [on, off] = ['#settings .check input:checked', '#settings .check input:not(:checked)'];
    expect(await background(on)).not.toBe(await background(off));
    for (const it of [on, off]) expect(await background(it, '::before'), 'its thumb shows').not.toBe(await background(it));
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    expect((await line('.switcher [aria-selected="true"]')).outline).toBeGreaterThan(1);
  });
});
