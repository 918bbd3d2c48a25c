// Lighthouse against the release: sign-in, and a room with history. Each is measured $RUNS times (5) as on a phone, with the
// network and the processor slowed down by the browser itself; the median has to keep to the limits below.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import lighthouse from 'lighthouse';
import puppeteer from 'puppeteer-core';

const RUNS = Number(process.env.RUNS ?? 5);
const HISTORY = 200;
const binary = process.env.HUBBUB_BIN ?? resolve(import.meta.dirname, '../dist/hubbub');

/** As in the head of every page. */
const DIAL = `{let o=Intl.DateTimeFormat([],{hour:'numeric'}).resolvedOptions();
  for(let c of ['tz='+o.timeZone,'hc='+o.hourCycle])document.cookie=c+';path=/'}`;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

async function serve() {
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'hubbub-lighthouse-'))];
  const env = { ...process.env, HUBBUB_HOST: '127.0.0.1', PORT: `${port}`, HUBBUB_DATA_DIR: folder, HUBBUB_LOG: 'warn' };
  const child = spawn(binary, [], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 10_000; ; ) {
    if (await fetch(`${url}/health/ready`).then((it) => it.ok, () => false)) break;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${binary} does not answer`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
  const stop = async () => {
    child.kill();
    await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  };
  return { url, stop };
}

const post = (url, form, headers = {}) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual', headers });

/** A room in which two have talked, and the session of one of them. */
async function room(url) {
  const people = [];
  for (const name of ['지우', 'Megan']) {
    const answer = await post(`${url}/signin`, { name, room: '디자인 리뷰' });
    people.push({ path: answer.headers.get('location'), cookie: answer.headers.getSetCookie()[0].split(';')[0] });
  }
  const [{ path }] = people;
  const line = 'The tunnel ate the line for two minutes and still every word arrived in order. 한 마디도 잃지 않았어요.';
  for (let n = 0; n < HISTORY; n++) {
    const form = { text: `${n + 1}: ${line.slice(0, 20 + ((n * 37) % line.length))}`, p: n.toString(16).padStart(16, '0') };
    await post(url + path, form, { cookie: people[(n >> 1) % 2].cookie });
  }
  const [name, value] = people[0].cookie.split('=');
  const cookie = { name, value, domain: '127.0.0.1', path: '/', httpOnly: true };
  return { path, cookie };
}

async function measure(url, cookie) {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  try {
    // Set in the browser: a header of one's own would be missing from the socket's request.
    if (cookie) await browser.setCookie(cookie);
    const page = await browser.newPage();
    // Whoever comes to a room has been at the door, which tells the server where and how they read the time.
    await page.goto(new URL('/robots.txt', url).href);
    await page.evaluate(DIAL);
    const flags = {
      logLevel: 'error',
      formFactor: 'mobile',
      throttlingMethod: 'devtools',
      onlyCategories: ['performance', 'accessibility', 'best-practices', 'seo'],
    };
    const result = await lighthouse(url, flags, undefined, page);
    const { categories, audits, runtimeError } = result.lhr;
    if (runtimeError) throw new Error(runtimeError.message);
    if (process.env.VERBOSE) console.log(JSON.stringify(audits['layout-shifts']?.details?.items, null, 1));
    const weak = Object.values(categories)
      .filter((category) => category.id !== 'performance')
      .flatMap(({ id, auditRefs }) => auditRefs.filter((ref) => ref.weight > 0).map((ref) => [id, audits[ref.id]]))
      .filter(([, audit]) => audit.score !== null && audit.score < 1)
      .map(([category, audit]) => `${category}: ${audit.id}`);
    return {
      performance: categories.performance.score * 100,
      accessibility: categories.accessibility.score * 100,
      'best practices': categories['best-practices'].score * 100,
      SEO: categories.seo.score * 100,
      'layout shift': audits['cumulative-layout-shift'].numericValue,
      'LCP in ms': audits['largest-contentful-paint'].numericValue,
      'blocked in ms': audits['total-blocking-time'].numericValue,
      weak,
    };
  } finally {
    await browser.close();
  }
}

const common = {
  performance: (it) => it >= 95,
  accessibility: (it) => it === 100,
  'best practices': (it) => it === 100,
  'layout shift': (it) => it <= 0.02,
  'LCP in ms': (it) => it <= 1500,
};

const { url, stop } = await serve();
let missed = false;
try {
  const { path, cookie } = await room(url);
  for (const [name, address, session, limits] of [
    ['sign-in', `${url}/`, undefined, { ...common, SEO: (it) => it === 100 }],
    // Rooms are `noindex`, which costs points that nobody wants.
    ['a room with history', url + path, cookie, common],
  ]) {
    const runs = [];
    for (let run = 0; run < RUNS; run++) runs.push(await measure(address, session));
    console.log(`\n${name}, median of ${RUNS}`);
    for (const what of Object.keys(runs[0]).filter((key) => key !== 'weak')) {
      const value = median(runs.map((run) => run[what]));
      const kept = limits[what]?.(value) ?? true;
      missed ||= !kept;
      const all = runs.map((run) => Number(run[what].toFixed(3))).join(', ');
      console.log(`${kept ? 'ok   ' : 'MISS '} ${what.padEnd(15)} ${Number(value.toFixed(3))}   (${all})`);
    }
    for (const audit of new Set(runs.flatMap((run) => run.weak))) console.log(`      below full marks: ${audit}`);
  }
} finally {
  await stop();
}
process.exitCode = missed ? 1 : 0;
