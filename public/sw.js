// Gives the page something to say without a network, and makes it installable. What it keeps is public: the built files,
// whose names change with their contents, and the page in offline.html. Never a page of a room, nothing anybody wrote.
//
// It is registered as /sw.js?v=<build>: another build is another worker with a cache of its own.

const CACHE = `hubbub-${new URL(location.href).searchParams.get('v')}`;
const OFFLINE = '/offline.html';
const KEPT = [OFFLINE, '/offline.css', '/offline.js', '/favicon.svg'];
const HASHED = /^\/pkg\/hubbub\.[\w-]{22}\.(js|wasm)$/;

addEventListener('install', (event) => {
  skipWaiting();
  const fresh = KEPT.map((path) => new Request(path, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

addEventListener('activate', (event) => event.waitUntil(takeOver()));

addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  // Forms, sockets and everything else are the browser's own affair.
  if (method !== 'GET' || origin !== location.origin) return;
  if (mode === 'navigate') event.respondWith(navigate(event));
  else if (KEPT.includes(pathname)) event.respondWith(asked(event.request));
  else if (HASHED.test(pathname)) event.respondWith(kept(event));
});

// A tap on what a phone showed.
addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data));
});

async function takeOver() {
  const stale = (await caches.keys()).filter((name) => name.startsWith('hubbub-') && name !== CACHE);
  await Promise.all(stale.map((name) => caches.delete(name)));
  // The network is asked while the worker is still waking up.
  await registration.navigationPreload?.enable();
  await clients.claim();
}

async function navigate(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch (error) {
    const offline = await caches.match(OFFLINE);
    if (offline) return offline;
    throw error;
  }
}

/** From the network, or as it was when this build came. */
async function asked(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const old = await caches.match(new URL(request.url).pathname);
    if (old) return old;
    throw error;
  }
}

/** What a hashed name means never changes. */
async function kept(event) {
  // Another build's worker may have taken over, and the cache away: it is not made a second time.
  if (!(await caches.has(CACHE))) return fetch(event.request);
  const cache = await caches.open(CACHE);
  // There is one answer to each, however it was compressed on its way.
  const old = await cache.match(event.request, { ignoreVary: true });
  if (old) return old;
  const response = await fetch(event.request);
  // A full disk costs the copy, not the answer.
  if (response.ok) event.waitUntil(cache.put(event.request, response.clone()).catch(() => undefined));
  return response;
}

async function show(path) {
  const pages = await clients.matchAll({ type: 'window' });
  const shows = ({ url }) => new URL(url).pathname === path;
  const page = pages.find(shows) ?? pages[0];
  if (!page) return clients.openWindow(path);
  await page.focus();
  if (!shows(page)) await page.navigate(path);
}
