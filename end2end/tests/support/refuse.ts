import type { Page } from '@playwright/test';

/** From the next page on, the server's answer to every message is that it refuses it for good, until told to stop. */
export async function refuseMessages(page: Page): Promise<() => void> {
  let refuses = true;
  await page.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((frame) => {
      const { t, room, p, n } = JSON.parse(String(frame));
      if (t === 'send' && refuses) socket.send(JSON.stringify({ t: 'refused', room, p, n, code: 'unavailable', retry: false }));
      else server.send(frame);
    });
  });
  return () => (refuses = false);
}
