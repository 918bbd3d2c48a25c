import { Writer } from './support/crowd';
import { allRead, enter, unique } from './support/people';
import { expect, test } from './support/test';

const MESSAGES = 10_000;
const OPERATIONS = 400;

/** The same on every machine: a failure can be looked at again. */
function words(n: number): string {
  return `${n} ${'the quick brown fox jumps over it '.repeat((n * 7919) % 9)}${n % 13 === 0 ? '\nand\nmore' : ''}`.trim();
}

/** What is done to the list in the page itself, each frame looked at before it is painted. */
const torture = async ({ seed, operations }: { seed: number; operations: number }) => {
  const FAR = 2_500;
  const { append, resize } = window as unknown as {
    append: () => Promise<void>;
    resize: (width: number, height: number) => Promise<void>;
  };
  const log = document.querySelector<HTMLElement>('.log')!;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const rows = () => [...log.querySelectorAll<HTMLElement>('.m[data-seq]')];
  const frame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()));
  const until = async (what: string, holds: () => boolean) => {
    const deadline = performance.now() + 10_000;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await frame();
    }
  };

  // Lines, by what they are held at: where their end is below the list's upper edge.
  let held = new Map<string, number>();
  let doing = '';
  let frames = 0;
  const found: string[] = [];
  const done: Record<string, number> = {};
  const end = (row: Element) => row.getBoundingClientRect().bottom - log.getBoundingClientRect().top;
  const look = () => {
    frames++;
    for (const [seq, was] of held) {
      const row = log.querySelector(`[data-seq="${seq}"]`);
      const moved = row ? Math.abs(end(row) - was) : Infinity;
      if (moved > 1) found.push(`${doing}: line ${seq} moved by ${moved} px`);
    }
  };
  // An observer that is new in this frame hears after all others, when they have put right what they wanted to.
  let watching = true;
  const watch = () => {
    const last = new ResizeObserver(() => {
      last.disconnect();
      look();
    });
    last.observe(document.body);
    if (watching) requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);

  const inView = () => {
    const height = log.clientHeight;
    return rows().filter((row) => end(row) > 0 && end(row) <= height);
  };
  const hold = (lines: HTMLElement[]) => (held = new Map(lines.map((row) => [row.dataset.seq!, end(row)])));
  const settle = async () => {
    held = new Map();
    let before = '';
    await until('the list to rest', () => {
      const now = `${log.scrollTop} ${log.scrollHeight} ${rows().length}`;
      const rests = now === before && !log.querySelector('p.older, a.older[aria-disabled]');
      before = now;
      return rests;
    });
    await frame();
  };
  /** Somewhere far above the end, as a wider list is a shorter one, and the end is followed. */
  const read = async () => {
    held = new Map();
    await settle();
    const room = log.scrollHeight - log.clientHeight;
    log.scrollTop = -(FAR + 500 + random(Math.max(1, Math.min(room - FAR - 1_400, 4_000))));
    await settle();
  };
  const grow = () => {
    const all = rows();
    // Not the first line in view: where that one grows is its own affair.
    const first = inView()[0];
    const row = all[random(all.length)]!;
    if (row !== first) row.style.paddingBottom = row.style.paddingBottom ? '' : `${10 + random(290)}px`;
  };

  await read();
  for (let i = 0; i < operations; i++) {
    const dice = random(100);
    const kind = dice < 22 ? 'prepend' : dice < 50 ? 'append' : dice < 70 ? 'resize' : dice < 93 ? 'grow' : 'trim';
    doing = `${i} ${kind}`;
    done[kind] = (done[kind] ?? 0) + 1;
    // A line of which too little is below cannot be held in a window that becomes wider and higher.
    if (i % 8 === 0 || log.scrollTop > -FAR) await read();
    if (kind === 'prepend') {
      hold(inView());
      const before = rows().length;
      log.querySelector<HTMLElement>('a.older')?.click();
      await until('older messages', () => rows().length > before || !log.querySelector('.older'));
    } else if (kind === 'append') {
      hold(inView());
      const before = rows().at(-1)!.dataset.seq;
      await append();
      await until('a new message', () => rows().at(-1)!.dataset.seq !== before);
    } else if (kind === 'resize') {
      hold(inView().slice(0, 1));
      const [width, height] = [320 + random(960), 400 + random(400)];
      await resize(width, height);
      await until('the new size', () => innerWidth === width && innerHeight === height);
    } else if (kind === 'grow') {
      hold(inView().slice(0, 1));
      grow();
    } else {
      // At the end, what is far above may go when something new comes.
      held = new Map();
      log.scrollTop = 0;
      await settle();
      await append();
      await until('the list to be cut short', () => rows().length <= 400);
      await frame();
      if (log.scrollTop !== 0) found.push(`${doing}: not at the end`);
      await read();
    }
    await frame();
    await frame();
    held = new Map();
  }
  watching = false;
  return { found: found.slice(0, 20), frames, done };
};

test('the line being read moves by at most a pixel, whatever happens to the list', async ({ page, browser, server }) => {
  test.setTimeout(600_000);
  const room = unique('long');
  const url = server.url;
  const [one, two] = await Promise.all([
    Writer.in(browser, url, unique('Megan'), room),
    Writer.in(browser, url, unique('하은'), room),
  ]);
  const half = Array.from({ length: MESSAGES / 2 }, (_, i) => words(i + 1));
  await Promise.all([one.write(half), two.write(half)]);

  await page.setViewportSize({ width: 1280, height: 720 });
  await enter(page, url, unique('지우'), room);
  let appended = 0;
  await page.exposeFunction('append', async () => {
    appended++;
    await (appended % 3 === 0 ? one : two).write([words(appended)]);
  });
  await page.exposeFunction('resize', (width: number, height: number) => page.setViewportSize({ width, height }));
  const result = await page.evaluate(torture, { seed: 20261122, operations: OPERATIONS });
  expect(result.found).toEqual([]);
  expect(Object.keys(result.done).sort()).toEqual(['append', 'grow', 'prepend', 'resize', 'trim']);
  expect(result.frames).toBeGreaterThan(OPERATIONS);
  await one.leave();
  await two.leave();
});

test('a list that becomes shorter than what was below keeps the line being read', async ({ page, browser, server }) => {
  const room = unique('turned');
  const writer = await Writer.in(browser, server.url, unique('Megan'), room);
  await writer.write(Array.from({ length: 40 }, (_, i) => `${i + 1} ${'the quick brown fox '.repeat(12)}`));
  await page.setViewportSize({ width: 320, height: 640 });
  await enter(page, server.url, unique('지우'), room);
  const end = (seq: number) =>
    page.evaluate((seq) => {
      const log = document.querySelector('.log')!;
      const bottom = document.querySelector(`[data-seq="${seq}"]`)!.getBoundingClientRect().bottom;
      return { end: bottom - log.getBoundingClientRect().top, range: log.scrollHeight - log.clientHeight };
    }, seq);
  const log = page.locator('.log');
  await log.evaluate((log) => {
    const row = log.querySelector('[data-seq="12"]')!;
    log.scrollTop += row.getBoundingClientRect().top - log.getBoundingClientRect().top;
  });
  await expect(page.locator('.jump.shown')).toBeVisible();
  const before = await end(12);
  const below = await log.evaluate((log) => -log.scrollTop);
  await page.setViewportSize({ width: 1280, height: 640 });
  await expect.poll(async () => (await end(12)).range).toBeLessThan(below);
  await expect.poll(async () => Math.abs((await end(12)).end - before.end)).toBeLessThanOrEqual(1);
  await writer.leave();
});

test('a thousand messages that arrive while one reads further up move nothing', async ({ page, browser, server }) => {
  test.setTimeout(60_000);
  const room = unique('flood');
  const writer = await Writer.in(browser, server.url, unique('Megan'), room);
  await writer.write(Array.from({ length: 60 }, (_, i) => words(i + 1)));
  await enter(page, server.url, unique('지우'), room);
  const line = page.locator('.m[data-seq="40"]');
  await line.scrollIntoViewIfNeeded();
  const before = (await line.boundingBox())!.y;
  await writer.write(Array.from({ length: 1_000 }, (_, i) => `flood ${i + 1}`));
  await expect(page.locator('.jump.shown')).toBeVisible();
  await expect(page.locator('.log')).toContainText('flood 1000', { timeout: 15_000 });
  expect(Math.abs((await line.boundingBox())!.y - before)).toBeLessThanOrEqual(1);
  await page.locator('.jump').click();
  await expect(page.getByText('flood 1000', { exact: true })).toBeInViewport();
  await writer.leave();
});

test('the list follows what is new from within a hundred pixels of its end, and from no further', async ({ page, browser, server }) => {
  const room = unique('near the end');
  const writer = await Writer.in(browser, server.url, unique('Megan'), room);
  await writer.write(Array.from({ length: 60 }, (_, i) => words(i + 1)));
  await enter(page, server.url, unique('지우'), room);
  const scroll = (by: number) =>
    page.locator('.log').evaluate(async (log, by) => {
      log.scrollTop = -by;
      // Until the page was told of it.
      await new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)));
    }, by);
  const jump = page.locator('.jump.shown');
  await scroll(90);
  await writer.write(['from near']);
  await expect(page.getByText('from near', { exact: true })).toBeInViewport({ ratio: 1 });
  await expect(jump).toHaveCount(0);
  await allRead(page);
  await scroll(130);
  await writer.write(['from afar']);
  await expect(jump).toHaveText('1 new message');
  await expect(page.getByText('from afar', { exact: true })).not.toBeInViewport();
  await writer.leave();
});
