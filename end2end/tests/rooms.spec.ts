import { committed, connected, enter, leave, say, tell, texts, unique } from './support/people';
import { expect, test } from './support/test';

test('several rooms are one socket, and switching loads no page', async ({ browser, page, server }) => {
  const [one, two, me] = [unique('one'), unique('two'), unique('지우')];
  await enter(page, server.url, me, one);
  await tell(page, 'in one');
  await page.goto(`${server.url}/rooms`);
  await page.getByLabel('New room').fill(two);
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('heading', { name: two })).toBeVisible();
  await connected(page);

  let sockets = 0;
  page.on('websocket', () => sockets++);
  await page.reload();
  await connected(page);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await page.locator('.rooms').getByRole('link', { name: one }).click();
  await expect(page.getByRole('heading', { name: one })).toBeVisible();
  expect(await committed(page)).toEqual(['in one']);
  expect(decodeURIComponent(page.url())).toContain(one);

  // Somebody writes in the room that is not on screen: it is counted there, and read on going back.
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), two);
  await say(other, 'over here');
  await expect(page.locator('.rooms').getByRole('link', { name: two })).toContainText('1');
  await page.goBack();
  await expect(page.getByRole('heading', { name: two })).toBeVisible();
  await expect(page.locator('.log')).toContainText('over here');
  await expect(page.locator('.rooms .n')).toHaveCount(0);
  await say(page, 'I am here');
  await expect(other.locator('.log')).toContainText('I am here');
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
  expect(sockets).toBe(1);

  await leave(page);
  await expect(page).toHaveURL(/\/rooms\?left=/);
  await page.goto(`${server.url}/`);
  await expect(page.getByRole('heading', { name: one })).toBeVisible();
  await expect(page.locator('.rooms')).not.toContainText(two);
  await other.context().close();
});

test('a room that does not exist is a page that offers to create it', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('home'));
  const room = unique('새 방');
  const response = await page.goto(`${server.url}/r/${encodeURIComponent(room)}`);
  expect(response?.status()).toBe(404);
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
});

test('older messages load on scrolling up and the line being read stays where it is', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('history'));
  for (let n = 1; n <= 180; n++) {
    const form = { text: `line ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
    await page.request.post(page.url(), { form, maxRedirects: 0 });
  }
  await page.reload();
  await connected(page);
  expect((await texts(page)).length).toBe(50);
  const log = page.locator('.log');
  const line = page.getByText('line 140', { exact: true });
  await line.scrollIntoViewIfNeeded();
  const before = (await line.boundingBox())!.y;
  await expect.poll(async () => (await texts(page)).length).toBeGreaterThan(50);
  expect(Math.abs((await line.boundingBox())!.y - before)).toBeLessThanOrEqual(1);
  // Whoever is on the link by the keyboard stays there.
  await page.locator('a.older').focus();
  await expect.poll(async () => (await texts(page)).length).toBeGreaterThan(100);
  await expect(page.locator('a.older')).toBeFocused();
  await expect
    .poll(async () => {
      await log.evaluate((log) => log.scrollTo(0, -log.scrollHeight));
      return (await texts(page)).length;
    })
    .toBe(180);
  expect(await texts(page)).toEqual(Array.from({ length: 180 }, (_, i) => `line ${i + 1}`));
});

test('a message that arrives while reading further up moves nothing and is announced by a button', async ({ browser, page, server }) => {
  const room = unique('scrolled');
  await enter(page, server.url, unique('지우'), room);
  for (let n = 1; n <= 45; n++) {
    const form = { text: `line ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
    await page.request.post(page.url(), { form, maxRedirects: 0 });
  }
  await page.reload();
  await connected(page);
  const line = page.getByText('line 10', { exact: true });
  await line.scrollIntoViewIfNeeded();
  const before = (await line.boundingBox())!.y;
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  await say(other, 'news at the bottom');
  const jump = page.getByRole('button', { name: '1 new message' });
  await expect(jump).toBeVisible();
  expect(Math.abs((await line.boundingBox())!.y - before)).toBeLessThanOrEqual(1);
  await jump.click();
  await expect(page.getByText('news at the bottom', { exact: true })).toBeInViewport();
  await other.context().close();
});

test('the link to a room is copied by a button, and leads whoever is signed out there by their name alone', async ({ browser, context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const room = unique('초대');
  await enter(page, server.url, unique('지우'), room);
  await tell(page, 'come in');
  await page.getByRole('button', { name: 'Copy the link to this room' }).click();
  await expect(page.getByRole('status')).toContainText('Link copied');
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(page.url());
  const guest = await (await browser.newContext()).newPage();
  await guest.goto(link);
  await expect(guest.getByLabel('Room')).toHaveValue(room);
  await expect(guest.getByLabel('Name')).toBeFocused();
  await guest.keyboard.type(unique('Megan'));
  await guest.keyboard.press('Enter');
  await connected(guest);
  await expect(guest).toHaveURL(link);
  expect(await committed(guest)).toEqual(['come in']);
  await guest.context().close();
});
