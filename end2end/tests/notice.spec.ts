import { AxeBuilder } from '@axe-core/playwright';
import { connected, enter, unique } from './support/people';
import { Server } from './support/server';
import { expect, test } from './support/test';

const TEXT = '15시에 다시 시작합니다. We restart at <15:00> & are back soon.';

test('what whoever runs the server says is on every page, and comes to rooms that are open, until it is put away', async ({ page, browser }) => {
  const server = await Server.start();
  try {
    const [name, room] = [unique('Ann'), unique('notice')];
    await enter(page, server.url, name, room);
    const notice = page.locator('.banner.notice');
    await expect(notice).toHaveCount(0);
    await server.command('notice', TEXT);
    await expect(notice.locator('span')).toHaveText(TEXT);
    // A screen reader hears it once.
    await expect(page.locator('[role=status] p')).toHaveText([TEXT]);
    expect((await new AxeBuilder({ page }).disableRules('region').analyze()).violations).toEqual([]);

    // It is in the page as it comes, also for those without a script, and at the door.
    const plain = await browser.newPage({ javaScriptEnabled: false, locale: 'ko-KR' });
    await plain.goto(server.url);
    await expect(plain.locator('.notice')).toHaveText(TEXT);
    await plain.locator('#name').fill(unique('지우'));
    await plain.locator('#room').fill(room);
    await plain.locator('.go').click();
    await expect(plain.locator('.banner.notice span')).toHaveText(TEXT);
    // Nothing there puts it away.
    await expect(plain.locator('.banner.notice button')).toBeHidden();
    for (const path of ['/rooms', `/r/${room}/people`, '/nothing/here']) {
      await plain.goto(server.url + path);
      await expect(plain.locator('.notice')).toHaveText(TEXT);
    }
    await plain.close();

    // Put away it stays away, over a reload and in another tab; another text is shown.
    await notice.getByRole('button', { name: 'Hide' }).click();
    await expect(notice).toHaveCount(0);
    const other = await page.context().newPage();
    for (const tab of [page, other]) {
      await tab.goto(`${server.url}/r/${room}`);
      await connected(tab);
      await expect(tab.locator('.banner.notice')).toHaveCount(0);
    }
    await other.close();
    await server.command('notice', 'In five minutes');
    await expect(notice.locator('span')).toHaveText('In five minutes');
    await server.command('notice', '--clear');
    await expect(notice).toHaveCount(0);
  } finally {
    await server.remove();
  }
});

test('every instance tells it', async ({ browser, cluster }) => {
  const pages = await Promise.all(
    cluster.servers.map(async (server) => {
      const page = await browser.newPage();
      await enter(page, server.url, unique('Ann'), unique('notice'));
      return page;
    }),
  );
  await cluster.servers[0].command('notice', 'We restart');
  for (const page of pages) await expect(page.locator('.banner.notice span')).toHaveText('We restart');
  await cluster.servers[1].command('notice', '--clear');
  for (const page of pages) {
    await expect(page.locator('.banner.notice')).toHaveCount(0);
    await page.close();
  }
});
