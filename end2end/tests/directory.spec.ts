import { alsoEnter, connected, enter, leave, signIn, tell, unique } from './support/people';
import { expect, test } from './support/test';

test('the directory finds rooms while one types, and says what goes on in them', async ({ browser, page, server }) => {
  const [lunch, quiet] = [unique('닭갈비'), unique('조용한 방')];
  const [jiwoo, megan] = [unique('지우'), unique('Megan')];
  await enter(page, server.url, jiwoo, lunch);
  await alsoEnter(page, server.url, quiet);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, megan, lunch);
  await tell(other, 'noodles\nor rice?');

  await page.getByRole('link', { name: 'All rooms' }).click();
  const search = page.getByRole('searchbox', { name: 'Find a room' });
  const row = (room: string) => page.locator('.directory li').filter({ hasText: room });
  for (const typed of ['ㄷ', '다', '달', '닭', '닭ㄱ']) {
    await search.fill(typed);
    await expect(row(lunch), typed).toBeVisible();
    await expect(row(quiet), typed).toHaveCount(0);
    await expect(page).toHaveURL(new RegExp(`q=${encodeURIComponent(typed)}`));
  }
  await expect(row(lunch)).toContainText(`${megan}: noodles or rice?`);
  await expect(row(lunch)).toContainText(/Megan .* here now/);
  await expect(row(lunch)).toContainText(/Last message .*\d:\d\d/);
  await expect(row(lunch).locator('.n')).toContainText('1 unread');
  await expect(row(lunch)).not.toContainText('지우');
  const last = row(lunch).locator('.last');
  expect((await last.boundingBox())!.height).toBeLessThanOrEqual(20);

  await search.fill('조용한');
  await expect(row(quiet)).toBeVisible();
  await expect(row(quiet)).not.toContainText('people');
  await expect(row(quiet).locator('.here-now')).toHaveCount(0);
  const none = unique('nobody called it so');
  await search.fill(none);
  await expect(page.locator('#found')).toContainText('There is no room called');
  await expect(page.getByRole('status').first()).toHaveText('No room found');
  await page.getByRole('button', { name: new RegExp(`^Create .*${none}`) }).click();
  await expect(page.getByRole('heading', { name: none })).toBeVisible();
  await other.context().close();
});

test('the directory leads back to the room one came from, by the keyboard and after a search too', async ({ page, server }) => {
  const [first, second] = [unique('first'), unique('second')];
  await enter(page, server.url, unique('지우'), first);
  await alsoEnter(page, server.url, second);
  await page.locator('.rooms').getByRole('link', { name: first }).click();
  await expect(page.getByRole('heading', { name: first })).toBeVisible();
  await page.getByRole('link', { name: 'All rooms' }).click();
  const back = page.getByRole('link', { name: /^Back to/ });
  await expect(back).toContainText(first);
  await page.getByRole('searchbox').fill(second);
  await page.getByRole('searchbox').press('Enter');
  await expect(page.locator('.directory li')).toHaveCount(1);
  await back.click();
  await expect(page.getByRole('heading', { name: first })).toBeVisible();
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with the script' : 'without a script', () => {
    test.use({ javaScriptEnabled });

    test('leaving a room can be undone for a while, and what was unread is so again', async ({ browser, page, server }) => {
      const room = unique('left');
      await signIn(page, server.url, unique('지우'), room);
      if (javaScriptEnabled) await connected(page);
      const other = await (await browser.newContext({ javaScriptEnabled: true })).newPage();
      await enter(other, server.url, unique('Megan'), room);
      // Nothing that comes while somebody looks elsewhere is read.
      await page.goto(`${server.url}/rooms`);
      await tell(other, 'you have not seen this');
      // The form alone: a page of the room would read what has come.
      const left = await page.request.post(`${server.url}/r/${encodeURIComponent(room)}/leave`, { maxRedirects: 0 });
      await page.goto(server.url + left.headers()['location']!);
      const toast = page.locator('.toast');
      await expect(toast).toContainText(/You left .*left/);
      const row = page.locator('.directory li').filter({ hasText: room });
      await expect(row).not.toContainText('Joined');
      await expect(row).not.toContainText('지우');
      await page.getByRole('button', { name: 'Undo' }).click();
      await expect(page.getByRole('heading', { name: room })).toBeVisible();
      await expect(page.locator('.day.new')).toBeVisible();
      await page.goto(`${server.url}/rooms`);
      await expect(row).toContainText('Joined');
      await expect(toast).toHaveCount(0);
      await other.context().close();
    });
  });
}

test('what was left is undone by the keyboard before all else there is', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('undone'));
  const room = page.url();
  await leave(page);
  await expect(page.locator('.toast')).toBeVisible();
  await page.locator('.brand').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Undo' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(room);
});

test('what was left is told for eight seconds, longer while somebody is about to undo it', async ({ page, server }) => {
  const [home, room] = [unique('home'), unique('gone')];
  await enter(page, server.url, unique('지우'), home);
  await alsoEnter(page, server.url, room);
  await leave(page);
  const toast = page.locator('.toast');
  await expect(toast).toBeVisible();
  const timing = () =>
    toast.evaluate((toast) => {
      const [animation] = toast.getAnimations();
      return { ends: animation?.effect?.getComputedTiming().endTime, state: animation?.playState };
    });
  expect(await timing()).toEqual({ ends: 8_000, state: 'running' });
  await toast.hover();
  await expect.poll(timing).toEqual({ ends: 8_000, state: 'paused' });
  await page.mouse.move(0, 0);
  await toast.evaluate((toast) => toast.getAnimations()[0]!.finish());
  await expect(toast).toBeHidden();
  // It was left indeed, and the room that is still one's own is the way back.
  await expect(page.getByRole('link', { name: /^Back to/ })).toContainText(home);
});

test('the directory works without a script', async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const [one, two] = [unique('하나'), unique('둘')];
  await signIn(page, server.url, unique('지우'), one);
  await page.goto(`${server.url}/rooms`);
  await page.locator('#room').fill(two);
  await page.locator('.create .go').click();
  await page.goto(`${server.url}/rooms`);
  await page.getByRole('searchbox', { name: 'Find a room' }).fill(two.replace('둘', '두'));
  await page.locator('.finder').getByRole('button').click();
  await expect(page.locator('.directory li')).toHaveCount(0);
  await page.getByRole('searchbox', { name: 'Find a room' }).fill(two);
  await page.locator('.finder').getByRole('button').click();
  await expect(page.locator('.directory li')).toHaveText([new RegExp(two)]);
  await expect(page.getByRole('searchbox')).toHaveValue(two);
  await context.close();
});

test('the door says what may be typed, and lively rooms are one press', async ({ browser, page, server }) => {
  // Five people come in, and the door knows it ten seconds later.
  test.slow();
  const room = unique('붐비는 방');
  const crowd = await Promise.all(
    ['A', 'B', 'C', 'D'].map(async (name) => {
      const other = await (await browser.newContext()).newPage();
      await enter(other, server.url, unique(name), room);
      return other;
    }),
  );
  const lively = page.getByRole('button', { name: new RegExp(room) });
  // The door may know it ten seconds later.
  await expect(async () => {
    await page.goto(server.url);
    await expect(lively).toContainText('4 here', { timeout: 100 });
  }).toPass({ timeout: 15_000 });
  await expect(page.locator('#room')).toHaveAttribute('placeholder', 'lunch');
  await expect(page.locator('#name')).toHaveAttribute('placeholder', /./);
  // Without a name there is nobody to enter: the room is kept.
  await lively.click();
  await expect(page.locator('#name-problem')).toHaveAttribute('data-code', 'name_empty');
  await expect(page.locator('#room')).toHaveValue(room);
  await page.goto(server.url);
  await page.locator('#name').fill(unique('지우'));
  await lively.click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
  for (const other of crowd) await other.context().close();
});
