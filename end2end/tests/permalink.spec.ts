import { type Page } from '@playwright/test';
import { Writer } from './support/crowd';
import { committed, connected, enter, say, unique } from './support/people';
import { expect, test } from './support/test';

/** Writes `count` messages into the room on screen, as a form does. */
async function fill(page: Page, count: number): Promise<void> {
  const url = page.url();
  for (let n = 1; n <= count; n++) {
    const form = { text: `line ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
    await page.request.post(url, { form, maxRedirects: 0 });
  }
}

test('a message has an address that shows it among its neighbours, highlighted and in view', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('address'));
  const room = page.url();
  await fill(page, 120);
  const response = await page.goto(`${room}/40`);
  expect(response?.status()).toBe(200);
  await connected(page);
  const target = page.locator('.m.target');
  await expect(target).toHaveText(/line 40$/);
  await expect(target).toBeInViewport({ ratio: 1 });
  await expect(target).toBeFocused();
  const shown = await committed(page);
  expect(shown).toContain('line 15');
  expect(shown).toContain('line 65');

  // Down to the end page by page, without a jump, or at once by the button.
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();
  const line = page.getByText('line 60', { exact: true });
  await line.scrollIntoViewIfNeeded();
  const before = (await line.boundingBox())!.y;
  await expect.poll(async () => (await committed(page)).includes('line 110')).toBe(true);
  expect(Math.abs((await line.boundingBox())!.y - before)).toBeLessThanOrEqual(1);
  await page.getByRole('button', { name: 'Jump to latest' }).click();
  await expect(page.getByText('line 120', { exact: true })).toBeInViewport();
  await say(page, 'at the end');
  await expect(page.locator('[data-seq="121"]')).toContainText('at the end');
  await expect(page.locator('[data-seq="121"]')).toBeInViewport();
});

test('what is fetched is not new: neither told nor announced', async ({ browser, page, server }) => {
  // Three times through the room.
  test.slow();
  const name = unique('read');
  await enter(page, server.url, unique('지우'), name);
  const room = page.url();
  const writer = await Writer.in(browser, server.url, unique('Megan'), name);
  await writer.write(Array.from({ length: 76 }, (_, n) => `line ${n + 1}`));
  await expect(page.getByText('line 76', { exact: true })).toBeInViewport();
  const unread = async () => {
    const answer = await page.request.get(room, { headers: { accept: 'application/json' } });
    const { screen } = await answer.json();
    return screen.opening.rooms.at(-1).reading.unread as number;
  };
  await expect.poll(unread).toBe(0);
  for (const seq of [5, 20, 60]) {
    await page.goto(`${room}/${seq}`);
    // Whatever is said at any time.
    await page.evaluate(() => {
      const said: string[] = [];
      const hear = () => said.push(...[...document.querySelectorAll('.jump, [role=status]')].map((it) => it.textContent ?? ''));
      new MutationObserver(hear).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      hear();
      Object.assign(window, { said });
    });
    await connected(page);
    // Down to where the newest ones are among the rows, but not in view.
    await expect(async () => {
      await page.locator('.log').evaluate((log) => (log.scrollTop = Math.min(0, log.scrollTop + 300)));
      await expect(page.locator('[data-seq="76"]')).toBeAttached({ timeout: 200 });
    }).toPass();
    await page.locator('.log').evaluate((log) => (log.scrollTop = -400));
    await expect(page.locator('.jump')).toHaveText('Jump to latest');
    // What comes now is.
    const text = `after ${seq}`;
    await writer.write([text]);
    await expect(page.locator('.jump')).toHaveText('1 new message');
    await expect(page.getByRole('status').filter({ hasText: text })).toBeAttached();
    const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
    expect(said.filter((it) => /\d+ new messages/.test(it))).toEqual([]);
    await page.locator('.jump').click();
    await expect(page.locator('.jump')).not.toHaveClass(/shown/);
    await expect.poll(unread).toBe(0);
  }
  await writer.leave();
});

test('there is no page for a message that is not there, but a way back to its room', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('gone'));
  const room = page.url();
  for (const odd of ['/99', '/0', '/x', '/-1', '/18446744073709551615', '/99999999999999999999']) {
    const response = await page.goto(room + odd);
    expect(response?.status(), odd).toBe(404);
  }
  await page.goto(`${room}/99`);
  await page.getByRole('link', { name: 'Back to the room' }).click();
  await expect(page).toHaveURL(room);
});

test('the address of a message is copied by a button, with the pointer and with the keyboard', async ({ context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await enter(page, server.url, unique('지우'), unique('copy'));
  await say(page, 'one');
  await say(page, 'two');
  await expect(page.locator('[data-seq="2"]')).toBeVisible();
  await page.locator('[data-seq="2"]').hover();
  await page.getByRole('button', { name: 'Copy the link to this message' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${page.url()}/2`);

  await page.locator('.log').focus();
  await page.keyboard.press('ArrowUp');
  await expect(page.locator('[data-seq="2"]')).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.locator('[data-seq="1"]')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.locator('[data-seq="1"] a.at')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Copy the link to this message' })).toBeFocused();
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${page.url()}/1`);
  await expect(page.getByRole('status')).toContainText('Link copied');
  await page.keyboard.press('Escape');
  await expect(page.getByLabel('Write a message')).toBeFocused();
});

test('the time of a message leads to it without loading a page', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('time'));
  await say(page, 'here I am');
  const link = page.locator('[data-seq="1"] a.at');
  await expect(link).toHaveAttribute('href', `${new URL(page.url()).pathname}/1`);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await link.click();
  await expect(page.locator('.m.target')).toContainText('here I am');
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
});

test('the link to the room on screen leads to its end, and back from a message one stays where one was', async ({ page, server }) => {
  const name = unique('back');
  await enter(page, server.url, unique('지우'), name);
  const room = page.url();
  await fill(page, 120);
  await page.goto(`${room}/40`);
  await connected(page);
  await expect(page.locator('.m.target')).toHaveText(/line 40$/);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const end = page.getByText('line 120', { exact: true });
  const link = page.locator('.rooms').getByRole('link', { name });
  await link.click();
  await expect(end).toBeInViewport();
  await expect(page).toHaveURL(room);
  await expect(page.locator('.m.target')).toHaveCount(0);

  // Further up in what is loaded already: a message is gone to, and back again.
  const line = page.getByText('line 80', { exact: true });
  await line.scrollIntoViewIfNeeded();
  const row = page.locator('.m', { has: line });
  await row.hover();
  await row.locator('a.at').click();
  await expect(page).toHaveURL(`${room}/80`);
  await expect(row).toHaveClass(/target/);
  await page.goBack();
  await expect(page).toHaveURL(room);
  await expect(row).not.toHaveClass(/target/);
  await expect(line).toBeInViewport();
  await link.click();
  await expect(end).toBeInViewport();

  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);

  // Loaded anew at a message, with an older part of the room around it, back is the end.
  await line.scrollIntoViewIfNeeded();
  const far = page.locator('.m', { has: page.getByText('line 30', { exact: true }) });
  await far.scrollIntoViewIfNeeded();
  await far.hover();
  await far.locator('a.at').click();
  // What follows is fetched as soon as it is near, and meets the end.
  expect(await (await page.request.get(page.url())).text()).not.toContain('line 120');
  await page.reload();
  await connected(page);
  await expect(far).toHaveClass(/target/);
  await page.goBack();
  await expect(page).toHaveURL(room);
  await expect(end).toBeInViewport();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('an address shows its message in view, and leads on to newer and to the newest ones', async ({ page, server }) => {
    const room = unique('plain');
    await page.goto(`${server.url}/`);
    await page.getByLabel('Name').fill(unique('지우'));
    await page.getByLabel('Room').fill(room);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(page.getByRole('heading', { name: room })).toBeVisible();
    const url = page.url();
    await fill(page, 120);
    await page.goto(`${url}/30`);
    await expect(page.locator('.m.target')).toHaveText(/line 30$/);
    await expect(page.locator('.m.target')).toBeInViewport({ ratio: 1 });
    await page.getByRole('link', { name: 'Newer messages' }).click();
    await expect(page.getByText('line 105', { exact: true })).toBeAttached();
    await page.getByRole('link', { name: 'Jump to latest' }).click();
    await expect(page).toHaveURL(url);
    await expect(page.getByText('line 120', { exact: true })).toBeInViewport();
  });

  test('whoever has to sign in first is led to the message afterwards', async ({ browser, page, server }) => {
    const room = unique('linked');
    await page.goto(`${server.url}/`);
    await page.getByLabel('Name').fill(unique('지우'));
    await page.getByLabel('Room').fill(room);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    const url = page.url();
    await fill(page, 3);
    const other = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await other.goto(`${url}/2`);
    await other.getByLabel('Name').fill(unique('Megan'));
    await other.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(other).toHaveURL(`${url}/2`);
    await expect(other.locator('.m.target')).toHaveText(/line 2$/);
    await other.context().close();
  });
});
