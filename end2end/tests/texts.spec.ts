import type { Locator, Page } from '@playwright/test';
import { committed, enter, tell, unique } from './support/people';
import { expect, test } from './support/test';

/** Where the `nth` occurrence of `letter` in the row is painted. */
function place(text: Locator, letter: string, nth = 0): Promise<{ left: number; top: number }> {
  return text.evaluate(
    (element, [letter, nth]) => {
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      let left = nth;
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const content = node.textContent ?? '';
        for (let at = content.indexOf(letter); at >= 0; at = content.indexOf(letter, at + 1)) {
          if (left-- > 0) continue;
          const range = document.createRange();
          range.setStart(node, at);
          range.setEnd(node, at + letter.length);
          const { left: x, top } = range.getBoundingClientRect();
          return { left: x, top };
        }
      }
      throw new Error(`no ${letter} number ${nth}`);
    },
    [letter, nth] as const,
  );
}

function lastRow(page: Page): Locator {
  return page.locator('.log [data-seq] .text').last();
}

/** Puts the text there at once: an input of it as keys would lose what no key types. */
async function put(page: Page, text: string): Promise<Locator> {
  const before = (await committed(page)).length;
  await page.locator('#text').fill(text);
  await page.locator('#text').press('Enter');
  await expect.poll(async () => (await committed(page)).length).toBe(before + 1);
  return lastRow(page);
}

test('a link reads as what it opens, whatever stands around it', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('links'));
  const address = 'https://q.example/w.knab//:sptth';
  for (const before of ['', '\u202E', '\u202D\u202E', '\u202B', '\u2067', '\u2068', '\u200F', 'שלום ', 'مرحبا: ', '\u061C']) {
    const row = await put(page, `${before}${address} x`);
    const link = row.locator('a');
    await expect(link).toHaveAttribute('href', address);
    await expect(link).toHaveText(address);
    let last = -Infinity;
    for (const letter of ['q', 'x', 'w', 'k', 'b']) {
      const { left } = await place(link, letter);
      expect(left, `${JSON.stringify(before)}: ${letter}`).toBeGreaterThan(last);
      last = left;
    }
    // So do its neutral characters, which turn around first.
    const slashes = [];
    for (let nth = 0; nth < 5; nth++) slashes.push((await place(link, '/', nth)).left);
    expect(slashes, JSON.stringify(before)).toEqual([...slashes].sort((a, b) => a - b));
  }
});

test('each line of a message runs in its own direction, as it did while it was written', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('lines'));
  for (const text of [
    'Deploy is done.\nتم النشر بنجاح (3).\n완료했습니다.',
    'تم النشر بنجاح (3).\n완료했습니다.\nDeploy is done.',
    'https://example.com/x תודה.\nDeploy is done.\nتم النشر بنجاح (3).\n완료했습니다.',
  ]) {
    const row = await put(page, text);
    const [d, e] = [await place(row, 'D'), await place(row, 'done.')];
    expect(d.left, 'English from the left').toBeLessThan(e.left);
    const [first, last] = [await place(row, 'تم'), await place(row, 'بنجاح')];
    expect(first.top).toBe(last.top);
    expect(first.left, 'Arabic from the right').toBeGreaterThan(last.left);
    const box = await row.evaluate((element) => element.getBoundingClientRect().right);
    const right = await row.evaluate((element) => {
      const range = document.createRange();
      const node = [...element.childNodes].find((node) => node.textContent?.includes('تم')) as Text;
      const at = node.data.indexOf('تم');
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      return range.getBoundingClientRect().right;
    });
    expect(box - right, 'it begins at the right edge').toBeLessThan(2);
    // The full stop ends its line: on the left in Arabic, on the right in English and Korean.
    const stops: Awaited<ReturnType<typeof place>>[] = [];
    for (let nth = 0; nth < text.split('.').length - 1; nth++) stops.push(await place(row, '.', nth));
    const on = (top: number) => stops.filter((stop) => Math.abs(stop.top - top) < 2).map((stop) => stop.left);
    expect(on(first.top).at(-1), 'after the Arabic line').toBeLessThan(last.left);
    expect(on(d.top).at(-1), 'after the English line').toBeGreaterThan(e.left);
  }
});

test('marks that are piled up stay in their row', async ({ page, server }) => {
  await page.setViewportSize({ width: 1000, height: 700 });
  await enter(page, server.url, unique('지우'), unique('marks'));
  await tell(page, 'above: https://example.com/above');
  await put(page, `H${'\u0334\u0353\u0318\u030D\u0352'.repeat(200)}ello`);
  await tell(page, 'below: https://example.com/below');
  await page.locator('#text').blur();
  const links = page.locator('.log .text a');
  await expect(links).toHaveCount(2);
  for (const link of await links.all()) await link.click({ trial: true });
  // A row is drawn in another colour under the pointer.
  await page.mouse.move(0, 0);
  const pile = page.locator('.log [data-seq] .text').nth(1);

  const row = (await page.locator('.log [data-seq]').nth(1).boundingBox())!;
  const list = (await page.locator('.log').boundingBox())!;
  const room = 10;
  const clips = [
    { x: list.x, y: list.y, width: list.width, height: row.y - room - list.y },
    { x: list.x, y: row.y + row.height + room, width: list.width, height: 20 },
  ];
  const shots = async () => Promise.all(clips.map(async (clip) => (await page.screenshot({ clip })).toString('base64')));
  const [above, below] = await shots();
  await pile.evaluate((element) => {
    element.style.visibility = 'hidden';
  });
  expect(await shots(), 'what the others look like').toEqual([above, below]);
});

test('a few emoji alone are large, and nothing else is', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('emoji'));
  const size = async (text: string) => (await put(page, text)).evaluate((it) => getComputedStyle(it).fontSize);
  for (const text of ['🎉', '👍🏽 👍🏽', '👨‍👩‍👧‍👦', '🇰🇷', '3️⃣', '🏳️‍🌈', '❤️']) expect(await size(text), text).toBe('28px');
  for (const text of ['3', '12 34', 'ㅋㅋ', '🎉!', '🎉'.repeat(20)]) expect(await size(text), text).toBe('15px');
  const sizes = () => page.locator('.log .text').evaluateAll((all) => all.map((it) => getComputedStyle(it).fontSize));
  const before = await sizes();
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-script', 'on');
  expect(await sizes(), 'as the server shows them').toEqual(before);
});

test('addresses without a scheme are links where they cannot be anything else', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('bare'));
  const row = await put(page, '링크는 www.example.com입니다, github.com/leptos-rs/leptos, e.g. file.rs, and/or kim@example.com.');
  await expect(row.locator('a')).toHaveText(['www.example.com', 'github.com/leptos-rs/leptos']);
  await expect(row.locator('a').first()).toHaveAttribute('href', 'https://www.example.com');
  await expect(row.locator('a').last()).toHaveAttribute('href', 'https://github.com/leptos-rs/leptos');
});
