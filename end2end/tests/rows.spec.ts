import { allRead, connected, enter, field, signIn, tell, unique } from './support/people';
import { expect, test } from './support/test';

// A worker would answer with a script that it has kept.
test.use({ serviceWorkers: 'block' });

test('a room reads as a conversation: who, what and when, message by message', async ({ browser, page, server }) => {
  const [room, jiwoo, megan] = [unique('tree'), unique('지우'), unique('Megan')];
  await enter(page, server.url, jiwoo, room);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, megan, room);
  await tell(other, 'first of two');
  await tell(other, 'see https://example.com/a');
  await tell(page, '안녕하세요\nhello');
  await tell(page, '🎉');
  await allRead(page);
  await other.context().close();
  const time = String.raw`\d+:\d\d.[AP]M`;
  const link = (seq: number) => `
      - link /^${time}$/:
        - /url: /\\/${seq}$/`;
  const lead = (name: string, seq: number) => `
      - paragraph:
        - text: ${name}${link(seq).replaceAll('\n', '\n  ')}`;
  const tree = `
  - log "Messages":
    - paragraph: This is where “\u2068${room}\u2069” begins
    - paragraph: /Today · /
    - article /^${megan} first of two ${time}$/:${lead(megan, 1)}
      - paragraph: first of two
    - article /^${megan} see https:..example.com.a ${time}$/:${link(2)}
      - paragraph:
        - text: see
        - link "https://example.com/a":
          - /url: https://example.com/a
    - article /^${jiwoo} 안녕하세요 hello ${time}$/:${lead(jiwoo, 3)}
      - paragraph: 안녕하세요 hello
    - article /^${jiwoo} 🎉 ${time}$/:${link(4)}
      - paragraph: 🎉
  `;
  // Notes of who came and went are the page's own, not of the log: after a reload there are none.
  await page.reload();
  await connected(page);
  await expect(page.getByRole('log')).toMatchAriaSnapshot(tree);
  // The same without the script.
  await page.route('**/*.wasm', (route) => route.abort());
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-script', 'stopped', { timeout: 15_000 });
  await expect(page.getByRole('log')).toMatchAriaSnapshot(tree);
});

test('the arrow keys go from row to row, each with its sender, text and time, and from there to its address', async ({ page, server }) => {
  const jiwoo = unique('지우');
  await enter(page, server.url, jiwoo, unique('walk'));
  const path = new URL(page.url()).pathname;
  await tell(page, 'one');
  await tell(page, 'two');
  await tell(page, 'three');
  await page.locator('.log').focus();
  for (const [seq, text] of [[3, 'three'], [2, 'two'], [1, 'one']] as const) {
    await page.keyboard.press('ArrowUp');
    const row = page.locator(`[data-seq="${seq}"]`);
    await expect(row).toBeFocused();
    await expect(row).toHaveRole('article');
    await expect(row).toHaveAccessibleName(new RegExp(`^${jiwoo} ${text} \\d+:\\d\\d.[AP]M$`));
    // The ring goes round all of the message, within the list.
    const ring = await row.evaluate((row) => {
      const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(row);
      return { outlineStyle, outlineWidth, outlineOffset };
    });
    expect(ring).toEqual({ outlineStyle: 'solid', outlineWidth: '2px', outlineOffset: '-2px' });
  }
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('[data-seq="2"]')).toBeFocused();
  // One message is a stop of the Tab key: the one that one is on, and its link.
  await expect(page.locator('.m[tabindex="0"]')).toHaveCount(1);
  await expect(page.locator('a.at[tabindex="0"]')).toHaveCount(1);
  await page.keyboard.press('Tab');
  await expect(page.locator('[data-seq="2"] a.at')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${server.url}${path}/2`);
  await expect(page.locator('[data-seq="2"]')).toHaveClass(/target/);
  // Enter on a message itself goes there as well.
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('[data-seq="3"]')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${server.url}${path}/3`);
  await expect(page.locator('[data-seq="3"]')).toHaveClass(/target/);
  await page.keyboard.press('Escape');
  await expect(field(page)).toBeFocused();
});

test('copying several messages takes along who wrote them and what, and nothing that is hidden', async ({ browser, context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const [room, jiwoo, megan] = [unique('copy'), unique('지우'), unique('Megan')];
  await signIn(page, server.url, jiwoo, room);
  // Elsewhere meanwhile: what was read would be parted from what was not.
  const url = page.url();
  await page.goto(`${server.url}/rooms`);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, megan, room);
  await tell(other, 'one');
  await tell(other, 'two\nlines');
  await page.goto(url);
  await connected(page);
  await tell(page, 'three');
  await tell(page, `four: ${'long '.repeat(700)}end`);
  await tell(page, 'five');
  // The pointer brings its buttons along.
  await page.locator('[data-seq="2"]').hover();
  await expect(page.locator('.tools')).toBeVisible();
  await page.evaluate(() => {
    const rows = document.querySelectorAll('.m[data-seq]');
    getSelection()!.setBaseAndExtent(rows[0]!, 0, rows[4]!, rows[4]!.childNodes.length);
  });
  await page.keyboard.press('Control+C');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const time = /\d+:\d\d\s[AP]M/g;
  expect(copied.match(time), 'the time stands once, beside the name').toHaveLength(2);
  const lines = copied.replaceAll(time, 'TIME').split('\n').filter(Boolean);
  expect(lines).toEqual([`${megan} TIME`, 'one', 'two', 'lines', `${jiwoo} TIME`, 'three', `four: ${'long '.repeat(700)}end`, 'five']);
  expect(copied, 'no holes between them').not.toMatch(/\n{3}/);
  await other.context().close();
});
