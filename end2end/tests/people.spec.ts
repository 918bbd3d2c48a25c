import { Writer } from './support/crowd';
import { alsoEnter, connected, enter, signIn, tell, unique } from './support/people';
import { expect, test } from './support/test';

test('on a phone the menu says that something is unread in another room', async ({ browser, page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const [away, here] = [unique('away'), unique('here')];
  await enter(page, server.url, unique('지우'), away);
  await alsoEnter(page, server.url, here);
  const menu = page.locator('.head .menu');
  const dot = () => menu.evaluate((menu) => getComputedStyle(menu, '::after').width);
  await expect(menu).not.toHaveClass(/unread/);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), away);
  await tell(other, 'psst');
  await expect(page.getByRole('checkbox', { name: 'Rooms and people, 1 unread', exact: true })).toBeAttached();
  await expect.poll(dot).toBe('8px');
  await menu.click();
  await page.locator('.rooms').getByRole('link', { name: away }).click();
  await expect(page.getByRole('checkbox', { name: 'Rooms and people', exact: true })).toBeAttached();
  await expect.poll(dot).not.toBe('8px');
  await other.context().close();
});

test('many rooms do not bury the people, and many people not the rooms', async ({ browser, page, server }) => {
  await page.setViewportSize({ width: 1000, height: 700 });
  const room = unique('crowded');
  await signIn(page, server.url, unique('지우'), room);
  for (let n = 0; n < 40; n++) {
    await page.request.post(`${server.url}/rooms`, { form: { room: unique('another') }, maxRedirects: 0 });
  }
  await page.reload();
  await connected(page);
  const crowd = await Promise.all(['Guest10', 'guest2', 'Guest1'].map((name) => Writer.in(browser, server.url, unique(name), room)));
  const people = page.locator('.people li');
  await expect(people).toHaveCount(4, { timeout: 10_000 });
  await expect(people.first()).toBeInViewport({ ratio: 1 });
  // Oneself first, and numbers in the order that people count in.
  expect((await people.allInnerTexts()).map((text) => text.replace(/\s+/g, ' '))).toEqual([
    expect.stringMatching(/지우 .*\(you\)$/),
    expect.stringMatching(/Guest1 /),
    expect.stringMatching(/guest2 /),
    expect.stringMatching(/Guest10 /),
  ]);
  const scrolls = (selector: string) => page.locator(selector).evaluate((it) => it.scrollHeight > it.clientHeight);
  expect(await scrolls('.side .rooms')).toBe(true);
  expect((await page.locator('.side .rooms').boundingBox())!.height).toBeGreaterThan(200);
  for (const writer of crowd) await writer.leave();
  // The room on screen is in view among them, wherever one goes.
  const here = page.locator('.side .rooms [aria-current]');
  await page.locator('.side .rooms a').last().click();
  await expect(here).toBeInViewport({ ratio: 1 });
  await page.reload();
  await connected(page);
  await expect(here).toBeInViewport({ ratio: 1 });
  await page.goBack();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
  await expect(here).toBeInViewport({ ratio: 1 });
});

test('from 1,200 px the people stand at the right of the room, and the count shows and hides them', async ({ page, server }) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await enter(page, server.url, unique('지우'), unique('panel'));
  const panel = page.locator('.present');
  expect(await panel.boundingBox()).toMatchObject({ x: 1040, y: 0, width: 240, height: 800 });
  const room = page.locator('main.room');
  expect((await room.boundingBox())!.width).toBe(1280 - 260 - 240);
  const count = page.getByRole('button', { name: '1 person' });
  await expect(count).toHaveAttribute('aria-expanded', 'true');
  await count.click();
  await expect(panel).toBeHidden();
  await expect(count).toHaveAttribute('aria-expanded', 'false');
  expect((await room.boundingBox())!.width).toBe(1280 - 260);
  await count.click();
  await expect(panel).toBeVisible();
  await page.setViewportSize({ width: 1100, height: 800 });
  expect(await panel.boundingBox()).toMatchObject({ x: 0, width: 259 });
});

test('on a phone the count opens the drawer at the list of people', async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await enter(page, server.url, unique('지우'), unique('drawer'));
  const people = page.getByRole('group', { name: 'Here now' });
  await expect(people).not.toBeInViewport();
  await page.getByRole('button', { name: '1 person' }).click();
  await expect(people).toBeInViewport();
  await expect(people).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(people).not.toBeInViewport();
});

test('the menu of a room is about the room on screen', async ({ page, server }) => {
  const [one, two] = [unique('one'), unique('two')];
  await enter(page, server.url, unique('지우'), one);
  await alsoEnter(page, server.url, two);
  await page.locator('.rooms').getByRole('link', { name: one }).click();
  await expect(page.getByRole('heading', { name: one })).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  const menu = page.getByRole('dialog', { name: 'Room menu' });
  await menu.getByRole('switch', { name: 'Notifications from this room' }).uncheck();
  await expect(menu.locator('form')).toHaveAttribute('action', new RegExp(encodeURIComponent(one).replace(/[-.]/g, '\\$&') + '/leave$'));
  await menu.getByRole('button', { name: 'Leave this room' }).click();
  await expect(page.locator('.toast')).toContainText(one);
  await page.getByRole('link', { name: /^Back to/ }).click();
  await expect(page.getByRole('heading', { name: two })).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await expect(page.getByRole('switch', { name: 'Notifications from this room' })).toBeChecked();
});

test('an empty room has its address at hand', async ({ browser, context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const room = unique('빈 방');
  await enter(page, server.url, unique('지우'), room);
  const address = page.getByRole('textbox', { name: 'Address of this room' });
  await expect(address).toHaveValue(page.url());
  await expect(address).toHaveAttribute('readonly');
  const button = page.locator('.invite').getByRole('button', { name: 'Copy link' });
  await button.click();
  await expect(page.getByRole('status')).toContainText('Link copied');
  await expect(button).toHaveClass(/done/);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
  // Another empty room has another one.
  const second = unique('또 빈 방');
  await alsoEnter(page, server.url, second);
  await page.locator('.rooms').getByRole('link', { name: room }).click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
  await expect(address).toHaveValue(page.url());
  // Whoever comes is invited as well; nobody wrote yet.
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  await expect(page.locator('.log .note')).toContainText('Megan');
  await expect(address).toBeVisible();
  await other.context().close();
  await tell(page, 'not empty any more');
  await expect(address).toHaveCount(0);
});

test('an empty room has its address at hand without a script', async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await signIn(page, server.url, unique('지우'), unique('빈 방'));
  await expect(page.getByRole('textbox', { name: 'Address of this room' })).toHaveValue(page.url());
  await expect(page.locator('.invite').getByRole('button')).toBeHidden();
  await context.close();
});

test('without the script the count leads to the page of everyone', async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await signIn(page, server.url, unique('지우'), unique('everyone'));
  await page.getByRole('button', { name: '1 person' }).press('Enter');
  await expect(page).toHaveURL(/\/people\??$/);
  await context.close();
});

test('a long name that runs from right to left is cut at its end', async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const room = unique('غرفة الاجتماعات الكبيرة في الطابق الثالث من المبنى').slice(0, 64);
  await enter(page, server.url, unique('지우'), room);
  await tell(page, 'رسالة طويلة جدا تصل إلى نهاية السطر وتتجاوزه لأنها أطول من أي مكان على هذه الشاشة الصغيرة');
  /** Whether the first letter is where it can be seen. */
  const begins = (selector: string) =>
    page.locator(selector).evaluate((it) => {
      const range = document.createRange();
      const text = document.createTreeWalker(it, NodeFilter.SHOW_TEXT).nextNode()!;
      range.setStart(text, 0);
      range.setEnd(text, 1);
      const [letter, box] = [range.getBoundingClientRect(), it.getBoundingClientRect()];
      return it.scrollWidth > it.clientWidth && letter.right <= box.right + 1 && letter.left >= box.left - 1;
    });
  expect(await begins('.head h1 bdi')).toBe(true);
  await page.goto(`${server.url}/rooms?q=${encodeURIComponent(room)}`);
  expect(await begins('.last bdi:last-child')).toBe(true);
});

test('more people than a room lists are on a page of their own', async ({ page, server }) => {
  const room = unique('everyone');
  const me = unique('지우');
  await enter(page, server.url, me, room);
  await page.goto(`${page.url()}/people`);
  await expect(page.locator('.everyone li')).toHaveText([new RegExp(`${me}.*\\(you\\)`)]);
  await page.getByRole('link', { name: /^Back to/ }).click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
});

for (const width of [320, 390, 1280]) {
  test(`names of the longest kind push nothing aside, ${width} px wide`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 700 });
    const room = unique('W'.repeat(50)).slice(0, 64);
    await enter(page, server.url, unique('지우'), unique('short'));
    const places = () =>
      page.locator('.head .act').evaluate((act) => {
        const { left, right } = act.getBoundingClientRect();
        return [left, right, document.documentElement.scrollWidth];
      });
    const before = await places();
    await alsoEnter(page, server.url, room);
    expect(await places()).toEqual(before);
    await expect(page.locator('.head h1')).toHaveCSS('cursor', 'default');
  });
}
