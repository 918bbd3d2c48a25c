import { expect, test } from './support/test';

test('the server says when it is ready', async ({ request }) => {
  expect((await request.get('/health/ready')).status()).toBe(200);
});

test('a browser gets a page, and the page asks nobody else for anything', async ({ page, server }) => {
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(`${server.url}/`)) elsewhere.push(request.url());
  });
  const response = await page.goto('/');
  expect(response?.status()).toBe(200);
  await page.waitForLoadState('networkidle');
  expect(elsewhere).toEqual([]);
});

test('two instances on one Redis are ready', async ({ cluster, request }) => {
  for (const server of cluster.servers) {
    expect((await request.get(`${server.url}/health/ready`)).status()).toBe(200);
  }
});
