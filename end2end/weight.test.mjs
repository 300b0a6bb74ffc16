// What pages load: nothing from elsewhere, no wasm where nothing is alive, and the islands' wasm runs in a real browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR, Api } from './api.mjs';
import { openBrowser, openPage, startPanel } from './harness.mjs';

let panel, browser;

before(async () => {
  panel = await startPanel({ swarm: 'fake' });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await panel?.stop();
});

/** A page that notes what it loads. */
const watched = async () => {
  const page = await openPage(browser);
  page.loaded = [];
  page.on('response', (response) => page.loaded.push({ url: response.url(), status: response.status(), headers: response.headers() }));
  return page;
};

const wasm = (page) => page.loaded.filter(({ url }) => url.endsWith('.wasm'));

test('pages without islands load no wasm', async () => {
  const page = await watched();
  for (const path of ['/sign-in', '/sign-up', '/no-such-page']) {
    await page.goto(panel.url + path, { waitUntil: 'networkidle' });
    assert.equal(await page.locator('leptos-island').count(), 0, `${path} has no islands`);
    assert.deepEqual(wasm(page), [], path);
  }
  assert.deepEqual(page.loaded.filter(({ url }) => !url.startsWith(panel.url)), [], 'nothing comes from elsewhere');
  assert.deepEqual(page.loaded.filter(({ status }) => status >= 400).map(({ url }) => new URL(url).pathname), []);
  assert.deepEqual(page.troubles, []);
});

test('a page with islands loads them once, compressed and for good, and they wake', async () => {
  const api = await Api.firstAdministrator(panel);
  const app = await api.createApplication({ name: 'shop', image: 'busybox:latest', port: 8080 });
  const page = await watched();
  await page.goto(`${panel.url}/sign-in`);
  await page.getByLabel('Email').fill(ADMINISTRATOR.email);
  await page.getByLabel('Password').fill(ADMINISTRATOR.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
  await page.goto(`${panel.url}/applications/${app.id}`);
  const deployed = await api.deploy(app.id, { wait: 60 });
  assert.equal(deployed.phase, 'live');
  await page.getByText('1 of 1 running').waitFor(); // by itself: nobody loaded the page again
  const islands = wasm(page);
  assert.equal(new Set(islands.map(({ url }) => url)).size, 1);
  assert.equal(islands[0].headers['content-encoding'], 'br');
  assert.match(islands[0].headers['cache-control'], /immutable/);
  assert.deepEqual(page.troubles, []);
});
