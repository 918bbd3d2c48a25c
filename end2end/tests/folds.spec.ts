import type { Locator, Page } from '@playwright/test';
import { connected, enter, field, signIn, tell, unique } from './support/people';
import { expect, test } from './support/test';

const LINES = 80;
const long = Array.from({ length: LINES }, (_, n) => `line ${n + 1}`).join('\n');
const lineHeight = 22;

async function post(page: Page, texts: readonly string[]): Promise<void> {
  for (const [n, text] of texts.entries()) {
    const form = { text, p: (n + 1).toString(16).padStart(16, '0'), n: '1' };
    await page.request.post(page.url(), { form, maxRedirects: 0 });
  }
}

const height = async (text: Locator) => (await text.boundingBox())!.height;
const top = async (it: Locator) => (await it.boundingBox())!.y;

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the script' : 'without a script', () => {
    test.use({ javaScriptEnabled });

    test('a long message is folded and unfolds, by the pointer and by the keyboard', async ({ page, server }) => {
      await signIn(page, server.url, unique('지우'), unique('fold'));
      await post(page, ['short', long, 'after']);
      await page.reload();
      if (javaScriptEnabled) await connected(page);
      const text = page.locator('[data-seq="2"] .text');
      const fold = page.locator('[data-seq="2"] summary');
      expect(await height(text)).toBe(16 * lineHeight);
      await expect(page.locator('[data-seq="1"] summary')).toHaveCount(0);
      await expect(fold).toHaveText('Show more', { useInnerText: true });
      await fold.click();
      expect(await height(text)).toBe(LINES * lineHeight);
      await expect(fold).toHaveText('Show less', { useInnerText: true });
      await fold.focus();
      await page.keyboard.press('Enter');
      expect(await height(text)).toBe(16 * lineHeight);
      await page.keyboard.press('Space');
      expect(await height(text)).toBe(LINES * lineHeight);
    });

    test('a message that is gone to by its address is not folded', async ({ page, server }) => {
      await signIn(page, server.url, unique('지우'), unique('address'));
      await post(page, [long, 'after']);
      await page.goto(`${page.url()}/1`);
      if (javaScriptEnabled) await connected(page);
      await expect(page.locator('.target')).toBeInViewport();
      expect(await height(page.locator('.target .text'))).toBe(LINES * lineHeight);
      await expect(page.locator('.target summary')).toBeHidden();
    });
  });
}

test('what is long on a phone alone is folded there alone', async ({ page, server }) => {
  await signIn(page, server.url, unique('지우'), unique('narrow'));
  await post(page, ['가 나 다 라 '.repeat(150), 'after']);
  const text = page.locator('[data-seq="1"] .text');
  for (const [width, folded] of [[390, true], [1280, false], [320, true]] as const) {
    await page.setViewportSize({ width, height: 800 });
    await page.reload();
    await connected(page);
    const summary = page.locator('[data-seq="1"] summary');
    await expect(summary).toBeVisible({ visible: folded });
    const before = await height(text);
    expect(before === 16 * lineHeight, `${width}: ${before}`).toBe(folded);
    if (!folded) continue;
    await summary.click();
    expect(await height(text)).toBeGreaterThan(20 * lineHeight);
  }
});

test('one’s own long message is folded from the moment it is sent', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('own'));
  // Whatever stands there at any time, on its way and arrived.
  await page.evaluate(() => {
    const heights = new Set<number>();
    Object.assign(window, { heights });
    const look = () => document.querySelectorAll('.m .text').forEach((it) => heights.add(it.getBoundingClientRect().height));
    new MutationObserver(look).observe(document.querySelector('.log')!, { childList: true, subtree: true, attributes: true });
  });
  await field(page).fill(long);
  await field(page).press('Enter');
  await expect(page.locator('[data-seq="1"] .text')).toHaveText(/line 80$/);
  const heights = () => page.evaluate(() => [...(window as unknown as { heights: Set<number> }).heights]);
  expect(await heights()).toEqual([16 * lineHeight]);
});

test('lines stay where they are while a message is unfolded and folded', async ({ page, server }) => {
  await signIn(page, server.url, unique('지우'), unique('anchor'));
  await post(page, [...Array.from({ length: 20 }, (_, n) => `before ${n + 1}`), long, ...Array.from({ length: 20 }, (_, n) => `after ${n + 1}`)]);
  await page.reload();
  await connected(page);
  const row = page.locator('[data-seq="21"]');
  const [above, fold] = [page.locator('[data-seq="20"]'), row.locator('summary')];
  await above.evaluate((row) => row.scrollIntoView({ block: 'start' }));
  await expect(fold).toBeInViewport();
  const before = await top(above);
  await fold.click();
  expect(await height(row.locator('.text'))).toBe(LINES * lineHeight);
  expect(Math.abs((await top(above)) - before)).toBeLessThanOrEqual(1);
  // From its end, where its beginning is out of view, folding leaves the button under the pointer.
  await fold.scrollIntoViewIfNeeded();
  const under = await top(fold);
  await fold.click();
  await expect.poll(async () => Math.abs((await top(fold)) - under)).toBeLessThanOrEqual(1);
  // At the end of the list as well.
  await tell(page, long);
  const last = page.locator('[data-seq="42"]');
  await last.locator('summary').click();
  await expect(last.locator('.fold')).toHaveAttribute('open');
  await expect.poll(() => height(last.locator('.text'))).toBe(LINES * lineHeight);
  await expect(last.locator('.text')).toBeInViewport();
  expect(await top(last), 'its beginning is still in view').toBeGreaterThan(0);
});

test('what is found in the folded part comes into view', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('find'));
  await tell(page, long);
  await tell(page, 'after');
  const row = page.locator('[data-seq="1"]');
  await expect(row.locator('.fold')).not.toHaveAttribute('open');
  // What Ctrl+F does, as far as a page can ask for it.
  const found = page.evaluate(() => {
    const [matchCase, backwards, wrapAround] = [true, false, true];
    type Find = (text: string, ...how: boolean[]) => boolean;
    return (window as unknown as { find: Find }).find('line 55', matchCase, backwards, wrapAround);
  });
  expect(await found).toBe(true);
  // The browser's own search scrolls whatever holds the text; a page's leaves that out.
  await row.locator('.text').evaluate((text) => {
    const found = getSelection()!.getRangeAt(0).getBoundingClientRect();
    text.scrollTop += found.top - text.getBoundingClientRect().top - 40;
  });
  await expect(row.locator('.fold')).toHaveAttribute('open');
  const place = await page.evaluate(() => {
    const found = getSelection()!.getRangeAt(0).getBoundingClientRect();
    const list = document.querySelector('.log')!.getBoundingClientRect();
    return { above: found.top - list.top, below: list.bottom - found.bottom };
  });
  expect(place.above).toBeGreaterThanOrEqual(0);
  expect(place.below).toBeGreaterThanOrEqual(0);
});
