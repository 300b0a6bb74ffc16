// A canary as a person sees it: both releases side by side, decided by hand, without and with what came of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR } from './api.mjs';
import { SERVES } from './apps.mjs';
import * as git from './git-server.mjs';
import { evidence, openBrowser, openPage, shoot, startPanel, story, until, visit } from './harness.mjs';

let server, panel, browser, page;

before(async () => {
  server = await git.start();
  panel = await startPanel();
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
const deployment = (state) => page.getByRole('status', { name: 'Deployment' }).filter({ hasText: state });
const cell = (row, at) => page.getByRole('row', { name: row }).getByRole('cell').nth(at);

/** Presses a button that asks first, and says yes. */
const decide = async (words) => {
  await page.getByRole('button', { name: `${words}…`, exact: true }).click();
  await button(words).and(page.locator(':visible')).click();
};

test('a canary from its settings to its end', { timeout: 600_000 }, async (t) => {
  const step = story(t, evidence(page, panel));
  let repository;

  await step('an application serves', async () => {
    await page.goto(await panel.firstLink());
    await page.getByLabel('Name').fill(ADMINISTRATOR.name);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await page.getByRole('button', { name: /^Create (account|administrator)$/ }).click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
    repository = server.createRepo('shop');
    repository.commit({ Dockerfile: SERVES, 'index.html': 'The first version.\n' }, 'Begin');
    await page.getByRole('link', { name: 'New application' }).first().click();
    await page.getByRole('textbox', { name: 'Repository' }).fill(repository.url);
    await page.getByLabel('Branch').fill('main');
    await page.getByLabel('Name').fill('shop');
    await page.getByLabel('Port').fill('8080');
    await button('Create application').click();
    await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor();
    await button('Deploy').click();
    await deployment('Live').waitFor({ timeout: 120_000 });
  });

  await step('the strategy is chosen in the settings, and a wrong step is told beside its field', async () => {
    await page.getByRole('link', { name: 'shop', exact: true }).first().click();
    await tab('Settings').click();
    await page.getByRole('radio', { name: /^Canary/ }).check();
    await page.getByLabel('Steps').fill('ten percent');
    await button('Save strategy').click();
    await page.getByText('“ten percent” is no step').first().waitFor();
    await page.getByLabel('Steps').fill('50 % for 1 h');
    await page.getByLabel('Longest wait').fill('90');
    await button('Save strategy').click();
    await page.getByText('Saved.').waitFor();
    await shoot(page, 'settings-canary');
  });

  await step('both releases stand side by side, and the numbers follow the visitors', async () => {
    repository.commit({ Dockerfile: SERVES, 'index.html': 'The second version.\n' }, 'Change it');
    await button('Deploy').click();
    await page.getByRole('heading', { name: 'Canary' }).waitFor({ timeout: 120_000 });
    await page.getByText('Too few requests to compare').waitFor();
    assert.equal(await cell('Share now', 0).innerText(), '50 %');
    const seen = new Set();
    for (let n = 0; n < 30; n += 1) seen.add((await visit(browser, panel.site('shop'))).text.trim());
    assert.equal(seen.size, 2, [...seen].join());
    const count = async (at) => Number((await cell('Requests', at).innerText()).replaceAll(' ', ''));
    await until('all visits are counted', async () => (await count(0)) + (await count(1)) >= 30, { seconds: 30, every: 250 });
    await shoot(page, 'canary');
    await page.setViewportSize({ width: 390, height: 844 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than a phone`);
    await shoot(page, 'canary-phone');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  await step('it is taken back from the overview', async () => {
    await page.getByRole('link', { name: 'shop', exact: true }).first().click();
    await page.getByRole('heading', { name: 'Canary' }).waitFor();
    await decide('Roll back now');
    await until(
      'everybody gets the first version',
      async () => /first/.test((await visit(browser, panel.site('shop'))).text) && (await page.getByRole('heading', { name: 'Canary' }).count()) === 0,
      { seconds: 60, every: 500 },
    );
    await tab('Deployments').click();
    await page.getByRole('link', { name: 'Change it' }).first().click();
    await deployment('Failed').waitFor();
    await page.getByText(/^Rolled back by /).waitFor();
    await shoot(page, 'canary-rolled-back');
  });

  await step('another one is promoted', async () => {
    await button('Deploy again').click();
    await page.getByRole('heading', { name: 'Canary' }).waitFor({ timeout: 120_000 });
    await decide('Promote now');
    await deployment('Live').waitFor({ timeout: 60_000 });
    await page.getByText(/^Promoted by /).waitFor();
    assert.match((await visit(browser, panel.site('shop'))).text, /The second version/);
    await shoot(page, 'canary-promoted');
  });
});
