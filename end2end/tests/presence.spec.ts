import { Writer } from './support/crowd';
import { connectNow, connected, enter, field, say, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { expect, test } from './support/test';

test('somebody who reloads and loses the connection has entered once, and never left', async ({ browser, page, server }) => {
  const [room, megan] = [unique('arrivals'), unique('Megan')];
  await enter(page, server.url, unique('지우'), room);
  const net = await Proxy.before(server);
  const other = await (await browser.newContext()).newPage();
  try {
    await enter(other, net.url, megan, room);
    await expect(page.locator('.note')).toHaveText(new RegExp(`${megan}\\W* entered$`), { timeout: 10_000 });
    await other.reload();
    await connected(other);
    // What was noted before a message stays above it: another arrival would be another line.
    await tell(other, 'here again');
    net.cut();
    await expect(other.locator('.banner')).toBeVisible({ timeout: 10_000 });
    net.restore();
    await connectNow(other);
    await tell(other, 'still me');
    await expect(page.locator('.log')).toContainText('still me');
    await expect(page.locator('.note')).toHaveCount(1);
    // Whoever comes after it is noted, so the notes before it were all there are.
    const ann = unique('Ann');
    const third = await Writer.in(browser, server.url, ann, room);
    await expect(page.locator('.note').last()).toContainText(ann, { timeout: 10_000 });
    await expect(page.locator('.note')).toHaveCount(2);
    await expect(page.locator('.people li')).toHaveCount(3);
    await third.leave();
  } finally {
    await other.context().close();
    await net.close();
  }
});

test('many who come at once are one line with a number', async ({ browser, page, server }) => {
  const room = unique('crowd');
  await enter(page, server.url, unique('지우'), room);
  const crowd = await Promise.all([1, 2, 3, 4, 5].map(() => Writer.in(browser, server.url, unique('Guest'), room)));
  await expect(page.locator('.note')).toHaveText(/^\W*Guest .* and 3 others entered$/, { timeout: 10_000 });
  await expect(page.locator('.head')).toContainText('6 people');
  await Promise.all(crowd.map((writer) => writer.leave()));
});

test('typing is told at most once a second, and is over five seconds after the last letter', async ({ browser, page, server }) => {
  const room = unique('typing');
  await enter(page, server.url, unique('지우'), room);
  const other = await (await browser.newContext()).newPage();
  // By the page's own clock: a busy machine tells this one of some frames later than of others.
  await other.addInitScript(() => {
    const told: number[] = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      if (JSON.parse(String(data)).t === 'typing') told.push(performance.now());
      send.call(this, data);
    };
    Object.assign(window, { told });
  });
  await enter(other, server.url, unique('Megan'), room);
  const typing = page.locator('.typing');
  await field(other).pressSequentially('and another word '.repeat(2), { delay: 80 });
  await expect(typing).toContainText('is typing');
  const last = Date.now();
  const told = await other.evaluate(() => (window as unknown as { told: number[] }).told);
  expect(told.length).toBeGreaterThan(1);
  for (const [i, at] of told.slice(1).entries()) expect(at - told[i]!).toBeGreaterThan(900);
  await expect(typing).toBeEmpty({ timeout: 8_000 });
  // The last one was told within the last second, and reached this page a moment later.
  expect(Date.now() - last).toBeGreaterThan(3_500);
  await say(other, 'done');
  await other.context().close();
});

test.describe('in Korean', () => {
  test.use({ locale: 'ko-KR' });

  test('names are followed by 님, which decides what comes after it', async ({ browser, page, server }) => {
    const room = unique('호칭');
    await enter(page, server.url, unique('지우'), room);
    // One name that ends in a vowel, one in a consonant.
    const guests = await Promise.all(['하나', '민준'].map((name, i) => Writer.in(browser, server.url, `${unique('손님')} ${name}${i}`, room)));
    await expect(page.locator('.note')).toHaveText(/^[^님]*손님.* 님, .*손님.* 님이 들어왔습니다$/, { timeout: 10_000 });
    await guests[0]!.write(['안녕하세요']);
    await expect(page.getByRole('status')).toHaveText(/손님.* 님: 안녕하세요$/);
    await Promise.all(guests.map((guest) => guest.leave()));
  });
});
