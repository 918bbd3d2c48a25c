import { committed, connectNow, connected, enter, field, say, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { Server } from './support/server';
import { expect, test } from './support/test';

for (const [how, signal] of [
  ['stopped', 'SIGTERM'],
  ['killed', 'SIGKILL'],
] as const) {
  test(`a server is ${how} and comes back: what was written meanwhile goes out once, in order`, async ({ page }) => {
    const server = await Server.start();
    try {
      await enter(page, server.url, unique('지우'), 'tunnel');
      await tell(page, 'before');
      await server.stop(signal);
      for (const text of ['one', 'two', 'three']) await say(page, text);
      await expect(page.locator('.pending')).toHaveCount(3);
      await expect(page.locator('.banner')).toContainText('Connection lost', { timeout: 10_000 });
      await server.resume();
      await connectNow(page);
      await expect(page.locator('.pending')).toHaveCount(0, { timeout: 15_000 });
      await expect(page.locator('.banner')).toHaveCount(0);
      expect(await committed(page)).toEqual(['before', 'one', 'two', 'three']);
      await page.reload();
      expect(await committed(page)).toEqual(['before', 'one', 'two', 'three']);
    } finally {
      await server.remove();
    }
  });
}

test('a client follows to another instance and misses nothing', async ({ browser, cluster }) => {
  const [first, second] = cluster.servers;
  const room = unique('move');
  const here = await (await browser.newContext()).newPage();
  const there = await (await browser.newContext()).newPage();
  await enter(here, first.url, unique('지우'), room);
  await enter(there, second.url, unique('Megan'), room);
  // The instance under `here` goes away and another takes its address, as behind a load balancer.
  await first.stop('SIGKILL');
  await tell(there, 'while you were away');
  await say(here, 'from the tunnel');
  await first.resume();
  await expect(here.locator('.pending')).toHaveCount(0, { timeout: 20_000 });
  await expect.poll(() => committed(here)).toEqual(['while you were away', 'from the tunnel']);
  await expect.poll(() => committed(there)).toEqual(['while you were away', 'from the tunnel']);
  for (const page of [here, there]) await page.context().close();
});

test('a socket that is told to move is replaced before anyone notices', async ({ page }) => {
  const server = await Server.start({ env: { HUBBUB_SOCKET_LIFETIME: '2s' } });
  try {
    const opened: number[] = [];
    page.on('websocket', () => opened.push(Date.now()));
    await enter(page, server.url, unique('지우'), 'moving');
    for (let n = 1; opened.length < 3; n++) {
      await say(page, `message ${n}`);
      await expect(page.getByText(`message ${n}`, { exact: true })).toBeVisible();
      await expect(page.locator('.banner')).toHaveCount(0);
    }
    await expect(page.locator('.pending')).toHaveCount(0);
    const seen = await committed(page);
    expect(seen).toEqual(seen.map((_, i) => `message ${i + 1}`));
  } finally {
    await server.remove();
  }
});

test('signing out in one tab is noticed in the other, where one signs in again in place with the text kept', async ({ page, server }) => {
  const name = unique('지우');
  await enter(page, server.url, name, unique('tabs'));
  const room = page.url();
  const other = await page.context().newPage();
  await other.goto(page.url());
  await connected(other);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(other.locator('.banner')).toContainText('signed out');
  await field(other).fill('half a sentence');
  await other.locator('.banner').getByRole('button', { name: 'Sign in as' }).click();
  await connected(other);
  await expect(other).toHaveURL(room);
  await expect(other.locator('.me')).toContainText(name);
  await expect(field(other)).toHaveValue('half a sentence');
});

test('sockets that live for seconds show no banner and lose, double and reorder nothing', async ({ page, browser }) => {
  test.setTimeout(60_000);
  const server = await Server.start({ env: { HUBBUB_SOCKET_LIFETIME: '3s' } });
  const other = await (await browser.newContext()).newPage();
  try {
    let opened = 0;
    page.on('websocket', () => opened++);
    await enter(page, server.url, unique('지우'), 'short lives');
    await page.evaluate(() => {
      const seen: string[] = [];
      Object.assign(window, { seen });
      const look = () => document.querySelectorAll('.banner').forEach((banner) => seen.push(banner.textContent ?? ''));
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    });
    await enter(other, server.url, unique('Megan'), 'short lives');
    const said: string[] = [];
    while (opened < 6) {
      const text = `message ${said.push(`message ${said.length + 1}`)}`;
      await say(other, text);
      await expect(page.getByText(text, { exact: true })).toBeVisible();
    }
    expect(await committed(page)).toEqual(said);
    expect(await page.evaluate(() => (window as unknown as { seen: string[] }).seen)).toEqual([]);
  } finally {
    await other.context().close();
    await server.remove();
  }
});

test('a session that expired shows the way back in in its place, with the text kept', async ({ page, server }) => {
  const net = await Proxy.before(server);
  try {
    const name = unique('지우');
    await enter(page, net.url, name, unique('expired'));
    const room = page.url();
    await field(page).fill('half a sentence');
    net.cut();
    await page.context().clearCookies({ name: /hubbub/ });
    net.restore();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect(page.locator('.banner')).toContainText('You are signed out', { timeout: 10_000 });
    await expect(page).toHaveURL(room);
    await expect(field(page)).toHaveValue('half a sentence');
  } finally {
    await net.close();
  }
});
