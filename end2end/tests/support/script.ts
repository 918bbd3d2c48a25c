import type { Page } from '@playwright/test';

/** The script of pages to come does not arrive before what this returns is called. Service workers have to be blocked: they keep it. */
export async function holdScript(page: Page): Promise<() => void> {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/*.wasm', async (route) => {
    await held;
    await route.continue();
  });
  return release;
}
