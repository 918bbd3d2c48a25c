import { committed, connected, enter, say, tell, unique } from './support/people';
import { Redis } from './support/redis';
import { Server } from './support/server';
import { expect, test } from './support/test';

test('where the store lost five acknowledged messages, the page uses their numbers up once and goes on', async ({ page, browser }) => {
  const redis = await Redis.start();
  const server = await Server.start({ redis });
  try {
    const room = unique('rollback');
    const frames: { t: string; n?: number }[] = [];
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => void frames.push(JSON.parse(`${payload}`))));
    await enter(page, server.url, unique('지우'), room);
    const witness = await (await browser.newContext()).newPage();
    await enter(witness, server.url, unique('Megan'), room);
    for (let n = 1; n <= 5; n++) await tell(page, `message ${n}`);
    await redis.loseRooms();
    frames.length = 0;
    await say(page, 'after all that');
    for (const one of [page, witness]) {
      await expect.poll(async () => (await committed(one)).filter((text) => text === 'after all that')).toHaveLength(1);
    }
    await expect(page.locator('.pending')).toHaveCount(0);
    const uses = () => frames.filter(({ t }) => t === 'void' || t === 'send').length;
    const used = uses();
    // Once each, or once more where the store refused them while it was being put right.
    expect(new Set(frames.filter(({ t }) => t === 'void').map(({ n }) => n)).size).toBe(5);
    expect(used).toBeLessThanOrEqual(2 * (5 + 1));
    // What comes then costs a frame each: nothing goes round and round beside it.
    for (const text of ['one more', 'and another']) await tell(page, text);
    expect(uses()).toBe(used + 2);
    await page.reload();
    await connected(page);
    await expect.poll(() => committed(page)).toEqual(['after all that', 'one more', 'and another']);
    // Whoever wrote what is lost still has it, and is asked.
    await expect(page.locator('.failed .text')).toHaveText([1, 2, 3, 4, 5].map((n) => `message ${n}`));
    await witness.context().close();
  } finally {
    await server.remove();
    await redis.remove();
  }
});
