// What a customer asks of the edge, in her browser, and what her visitors see of it: maintenance, a password, a header.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR, Api } from './api.mjs';
import { SERVES } from './apps.mjs';
import * as git from './git-server.mjs';
import { evidence, openBrowser, openPage, shoot, startPanel, story, until, visit } from './harness.mjs';

let server, panel, browser, page;

before(async () => {
  server = await git.start();
  panel = await startPanel();
  const repository = server.createRepo('shop');
  repository.commit({ Dockerfile: SERVES, 'index.html': 'Open all week.\n' }, 'Begin');
  const api = await Api.firstAdministrator(panel);
  const app = await api.createApplication({ name: 'shop', git: repository.url, port: 8080 });
  await api.deploy(app.id, { wait: 120 });
  browser = await openBrowser();
  page = await openPage(browser);
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await server?.stop();
});

const button = (name) => page.getByRole('button', { name, exact: true });
const tab = (name) => page.getByRole('link', { name, exact: true });
const saved = () => page.getByRole('status').filter({ hasText: 'Saved.' });

/** Waits until visitors get this status, and gives what they read. A change is live in well under a second. */
const visitorsGet = (status) =>
  until(
    `visitors get ${status}`,
    async () => {
      const seen = await visit(browser, panel.site('shop'));
      return seen.status === status && seen;
    },
    { seconds: 5 },
  );

test('an owner decides what the edge does', { timeout: 300_000 }, async (t) => {
  const step = story(t, evidence(page, panel));

  await step('the application is there', async () => {
    await page.goto(panel.url);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await button('Sign in').click();
    await page.getByRole('link', { name: 'shop', exact: true }).first().click();
    await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor();
    assert.match((await visitorsGet(200)).text, /Open all week/);
  });

  await step('maintenance is put up with one click and a question', async () => {
    await tab('Routing').click();
    await page.getByRole('heading', { name: 'Maintenance', exact: true }).waitFor();
    await shoot(page, 'routing');
    await page.locator('textarea[name=page]').fill('<!doctype html><title>Back soon</title><h1>We are moving house</h1>');
    await button('Save page').click();
    await saved().waitFor();
    await page.getByRole('button', { name: /^Begin maintenance…$/ }).click();
    await button('Begin maintenance').and(page.locator(':visible')).click();
    await page.getByText('Visitors see the maintenance page now.').waitFor();
    assert.match((await visitorsGet(503)).text, /We are moving house/);
    await shoot(page, 'routing-maintenance');
  });

  await step('the overview says so, and ends it', async () => {
    await tab('Overview').click();
    await page.getByText('In maintenance: visitors see the maintenance page.').waitFor();
    await shoot(page, 'application-in-maintenance');
    await button('End maintenance').click();
    await page.getByText('Maintenance is over.', { exact: false }).waitFor();
    assert.match((await visitorsGet(200)).text, /Open all week/);
  });

  await step('a password keeps strangers out', async () => {
    await tab('Routing').click();
    await tab('Passwords').click();
    await page.getByLabel('Name', { exact: true }).fill('grace');
    await page.getByLabel('Password', { exact: true }).fill('short');
    await button('Save name').click();
    await page.getByText('A password has at least 8 characters.').first().waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'grace');
    await page.getByLabel('Password', { exact: true }).fill('amazing grace');
    await button('Save name').click();
    await saved().waitFor();
    await shoot(page, 'routing-passwords');
    await until('strangers are kept out', async () => {
      const stranger = await openPage(browser, { httpCredentials: { username: 'grace', password: 'wrong one' } });
      try {
        return (await stranger.goto(panel.site('shop'))).status() === 401;
      } finally {
        await stranger.context().close();
      }
    });
    const grace = await openPage(browser, { httpCredentials: { username: 'grace', password: 'amazing grace' } });
    assert.equal((await grace.goto(panel.site('shop'))).status(), 200);
    await grace.context().close();
    await button('Remove grace').click();
    await saved().waitFor();
    await visitorsGet(200);
  });

  await step('a header is set, and one of the edge’s own is refused', async () => {
    await tab('Headers').click();
    await page.getByLabel('Name', { exact: true }).fill('Connection');
    await page.getByLabel('Value').fill('close');
    await button('Save header').click();
    await page.getByText('belongs to one connection', { exact: false }).first().waitFor();
    await page.getByLabel('Name', { exact: true }).fill('X-Frame-Options');
    await page.getByLabel('Value').fill('DENY');
    await button('Save header').click();
    await saved().waitFor();
    await until('visitors get the header', async () => {
      const visitor = await openPage(browser);
      try {
        return (await (await visitor.goto(panel.site('shop'))).allHeaders())['x-frame-options'] === 'DENY';
      } finally {
        await visitor.context().close();
      }
    });
  });

  await step('every part has its page', async () => {
    for (const [name, heading] of [
      ['Limits', 'Limits'],
      ['Error pages', 'Error pages'],
      ['Balancing', 'Balancing'],
      ['Paths', 'Paths'],
    ]) {
      await tab(name).click();
      await page.getByRole('heading', { name: heading, exact: true }).waitFor();
      await shoot(page, `routing-${name.toLowerCase().replace(' ', '-')}`);
    }
    assert.deepEqual(page.troubles.filter((it) => !it.includes('Failed to load resource')), []);
  });
});
