import { test as base } from '@playwright/test';
import { Redis } from './redis';
import { Server } from './server';

interface Each {
  /** Puts the servers' logs into the report of a test that failed. */
  logs: void;
}

interface Shared {
  /** One server for all of a worker's tests: each test uses rooms and names of its own. */
  server: Server;
  /** Two instances on one Redis. */
  cluster: { redis: Redis; servers: readonly [Server, Server] };
}

const started = new Set<Server>();

export const test = base.extend<Each, Shared>({
  server: [
    // Playwright reads a fixture's needs from this pattern, so it must be there even when empty.
    async ({}, use) => {
      const server = await Server.start();
      started.add(server);
      await use(server);
      started.delete(server);
      await server.remove();
    },
    { scope: 'worker' },
  ],
  cluster: [
    async ({}, use) => {
      const redis = await Redis.start();
      try {
        const first = await Server.start({ redis });
        const second = await Server.start({ redis });
        started.add(first).add(second);
        await use({ redis, servers: [first, second] });
        for (const server of [first, second]) {
          started.delete(server);
          await server.remove();
        }
      } finally {
        await redis.remove();
      }
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  logs: [
    async ({}, use, info) => {
      await use();
      if (info.status === info.expectedStatus) return;
      for (const server of started) {
        await info.attach(`server on port ${server.port}`, { body: server.output, contentType: 'text/plain' });
      }
    },
    { auto: true },
  ],
});

export { expect } from '@playwright/test';
