import type { Page } from '@playwright/test';
import { connected, enter, unique } from './support/people';
import { expect, test } from './support/test';

const SEQUENCES = 20;
const STEPS = 5;

/** Numbers that are the same in every run: a linear congruential generator (Numerical Recipes). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('three tabs on two instances agree on what is unread, whatever is written and read where', async ({ browser, cluster, context, page }) => {
  test.setTimeout(120_000);
  const [first, second] = cluster.servers;
  const rooms = [unique('one'), unique('two'), unique('three'), unique('four')];
  await enter(page, first.url, unique('지우'), rooms[0]!);
  for (const room of rooms.slice(1)) {
    await page.goto(`${first.url}/rooms`);
    await page.getByLabel('New room').fill(room);
    await page.getByRole('button', { name: 'Create' }).click();
    await connected(page);
  }
  const path = new URL(page.url()).pathname;
  const tabs: Page[] = [page];
  for (const server of [second, second]) {
    const tab = await context.newPage();
    await tab.goto(server.url + path);
    await connected(tab);
    tabs.push(tab);
  }
  // A tab that reads nothing of these rooms.
  await page.goto(`${first.url}/rooms`);
  await page.getByLabel('New room').fill(unique('home'));
  await page.getByRole('button', { name: 'Create' }).click();
  await connected(page);
  const observer = await context.newPage();
  await observer.goto(page.url());
  await connected(observer);
  await page.goto(first.url + path);
  await connected(page);
  // Another person, who writes by plain forms.
  const other = await (await browser.newContext()).newPage();
  await enter(other, first.url, unique('Megan'), rooms[0]!);
  let written = 0;
  const write = async (room: string) => {
    const form = { text: `news ${++written}`, p: written.toString(16).padStart(16, '0'), n: '1' };
    const answer = await other.request.post(`${first.url}/r/${encodeURIComponent(room)}`, { form, maxRedirects: 0 });
    expect(answer.status()).toBe(303);
  };
  const home = observer.url();
  /** What the store says, which knows every message that was written; a tab may still have to hear of it. */
  const stored = async () => {
    const html = await (await page.request.get(home)).text();
    const data = JSON.parse(/<script[^>]*id="page-data"[^>]*>(.*?)<\/script>/s.exec(html)![1]!);
    const lines: { room: { name: string }; reading: { unread: number } }[] = data.screen.opening.rooms;
    return Object.fromEntries(rooms.map((name) => [name, lines.find((line) => line.room.name === name)?.reading.unread]));
  };
  const shown = (tab: Page) =>
    tab.locator('.rooms a').evaluateAll((links) =>
      Object.fromEntries(links.slice(0, 4).map((link) => [link.querySelector('bdi')?.textContent, Number(link.querySelector('.n span')?.textContent ?? 0)])),
    );

  const open = tabs.map(() => rooms[3]!);
  const unread = Object.fromEntries(rooms.map((room) => [room, 0]));
  const below = random(20);
  for (let sequence = 1; sequence <= SEQUENCES; sequence++) {
    for (let step = 0; step < STEPS; step++) {
      const room = rooms[below(rooms.length)]!;
      if (below(3) === 0) {
        const i = below(tabs.length);
        // It takes half a second to have read what is on the screen; a tab counts it as read at once, the others do not.
        await expect.poll(stored).toEqual(unread);
        await tabs[i]!.locator('.rooms').getByRole('link', { name: room }).click();
        await expect(tabs[i]!.getByRole('heading', { name: room })).toBeVisible();
        open[i] = room;
      } else {
        await write(room);
        unread[room]!++;
      }
      // Whoever has a room on the screen reads it.
      for (const room of open) unread[room] = 0;
    }
    for (const [i, tab] of [...tabs, observer].entries()) {
      await expect.poll(() => shown(tab), { message: `sequence ${sequence}, tab ${i}`, timeout: 15_000 }).toEqual(unread);
    }
  }
  await other.context().close();
});
