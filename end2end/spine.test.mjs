// The path that everything else hangs on, as a person walks it: from the printed link to a rollback.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR } from './api.mjs';
import { COUNTS, EXITS, SERVES } from './apps.mjs';
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
const log = () => page.getByRole('log');

/** Back to the application, from one of its deployments. */
const toApplication = async (name) => {
  await page.getByRole('link', { name, exact: true }).first().click();
  await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
};

test('from a git repository to a page that answers', { timeout: 600_000 }, async (t) => {
  const step = story(t, evidence(page, panel));
  let repository;

  await step('the printed link makes the first administrator', async () => {
    await page.goto(await panel.firstLink());
    await shoot(page, 'set-up');
    await page.getByLabel('Name').fill(ADMINISTRATOR.name);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await page.getByRole('button', { name: /^Create (account|administrator)$/ }).click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
    await shoot(page, 'applications-empty');
  });

  await step('the link works once', async () => {
    const stranger = await openPage(browser);
    await stranger.goto(await panel.firstLink());
    if (await stranger.getByLabel('Password').isVisible()) {
      await stranger.getByLabel('Name').fill('Mallory');
      await stranger.getByLabel('Email').fill('mallory@example.com');
      await stranger.getByLabel('Password').fill('another long password');
      await stranger.getByRole('button', { name: /^Create/ }).click();
      await stranger.waitForLoadState();
    }
    assert.equal(await stranger.getByRole('heading', { name: 'Applications', exact: true }).count(), 0);
    await stranger.context().close();
  });

  await step('a repository is looked at while its address is typed', async () => {
    repository = server.createRepo('shop');
    repository.commit({ Dockerfile: SERVES, 'index.html': 'The first version.\n' }, 'Begin');
    await page.getByRole('link', { name: 'New application' }).first().click();
    await shoot(page, 'new-application');
    await page.getByRole('textbox', { name: 'Repository' }).fill(server.url('nowhere'));
    await page.getByText(/no git repository/i).first().waitFor();
    await page.getByRole('textbox', { name: 'Repository' }).fill(repository.url);
    await page.getByText('Found: 1 branch, main by default').waitFor();
    await shoot(page, 'new-application-found');
  });

  await step('a wrong field has its sentence beside it, and nothing that was typed is lost', async () => {
    await page.getByLabel('Branch').fill('main');
    await page.getByLabel('Name').fill('Shop!');
    await page.getByLabel('Port').fill('8080');
    await button('Create application').click();
    const name = page.getByLabel('Name');
    await until('the field is marked', async () => (await name.getAttribute('aria-invalid')) === 'true', { seconds: 10 });
    assert.equal(await page.getByRole('textbox', { name: 'Repository' }).inputValue(), repository.url);
    await shoot(page, 'new-application-refused');
  });

  await step('an application is made', async () => {
    await page.getByLabel('Name').fill('shop');
    await button('Create application').click();
    await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor();
    await shoot(page, 'application-new');
  });

  await step('it is deployed, and its page answers', async () => {
    await button('Deploy').click();
    await deployment(/preparing|building|starting|probing/i).waitFor();
    await shoot(page, 'deployment-under-way');
    await deployment('Live').waitFor({ timeout: 90_000 });
    await page.getByText('Visitors see this release', { exact: true }).waitFor();
    await shoot(page, 'deployment-live');
    const { status, text } = await visit(browser, panel.site('shop'));
    assert.equal(status, 200);
    assert.match(text, /The first version/);
  });

  await step('it is scaled to three, and the page follows by itself', async () => {
    await toApplication('shop');
    await page.getByLabel('Replicas', { exact: true }).fill('3');
    await button('Scale').click();
    await page.getByText('3 of 3 running').waitFor({ timeout: 60_000 });
    await shoot(page, 'application-three');
    await page.goto(`${panel.url}/applications`);
    await shoot(page, 'applications');
    await page.getByRole('link', { name: 'shop', exact: true }).first().click();
  });

  await step('the log shows all three and goes on by itself', async () => {
    await tab('Logs').click();
    await until(
      'three voices in the log',
      async () => new Set((await log().innerText()).match(/I am \w+/g)).size === 3,
      { seconds: 30, every: 500 },
    );
    await visit(browser, panel.site('shop'));
    await log().getByText('url:/').first().waitFor();
    await shoot(page, 'logs');
  });

  await step('a bad commit fails with its reason, and the old release goes on', async () => {
    repository.commit({ Dockerfile: EXITS, 'index.html': 'The second version.\n' }, 'Break it');
    await button('Deploy').click();
    await deployment('Failed').waitFor({ timeout: 120_000 });
    const why = page.getByRole('alert', { name: 'Why it failed' });
    await why.getByText(/\b3\b/).first().waitFor();
    await why.getByText('the release that was live goes on serving').waitFor();
    await page.getByRole('log', { name: 'The application’s last lines' }).getByText('the database is gone').first().waitFor();
    await shoot(page, 'deployment-failed');
    assert.match((await visit(browser, panel.site('shop'))).text, /The first version/);
  });

  await step('a good commit goes live', async () => {
    repository.commit({ Dockerfile: COUNTS, 'index.html': 'The third version.\n' }, 'Mend it');
    await toApplication('shop');
    await button('Deploy').click();
    await deployment('Live').waitFor({ timeout: 90_000 });
    assert.match((await visit(browser, panel.site('shop'))).text, /The third version/);
  });

  await step('a log that is followed has no gap and no repeat, even when the panel is killed meanwhile', async (t) => {
    await toApplication('shop');
    await page.getByLabel('Replicas', { exact: true }).fill('1');
    await button('Scale').click();
    await page.getByText('1 of 1 running').waitFor({ timeout: 60_000 });
    // In a page of its own: the broken connection is a trouble that we made.
    const reader = await openPage(browser, { storageState: await page.context().storageState() });
    await reader.goto(page.url().replace(/\?.*/, '') + '/logs');
    // Each copy counts for itself; the copy is named in front of its words.
    const counts = async () => {
      const heard = new Map();
      for (const row of await reader.getByRole('log').locator('li').allInnerTexts()) {
        const [, copy, n] = /(\d+·\w+)\s+tick (\d+)/.exec(row) ?? [];
        if (copy) heard.set(copy, [...(heard.get(copy) ?? []), Number(n)]);
      }
      return heard;
    };
    const most = async () => Math.max(0, ...[...(await counts()).values()].map((all) => all.at(-1)));
    const grows = async (by) => {
      const before = await most();
      await until(`the log goes on after ${before}`, async () => (await most()) >= before + by, { seconds: 30, every: 200 });
    };
    await grows(3);
    await panel.kill();
    await panel.start();
    await grows(10);
    for (const [copy, seen] of await counts()) {
      t.diagnostic(`${seen.length} lines of ${copy} were followed`);
      assert.deepEqual(seen, seen.map((_, n) => seen[0] + n));
    }
    await reader.context().close();
  });

  await step('a rollback brings the first release back', async () => {
    await page.reload();
    await tab('Deployments').click();
    await shoot(page, 'deployments');
    await page.getByRole('row', { name: 'Begin' }).getByText('Roll back', { exact: false }).first().click();
    await button('Roll back to this release').and(page.locator(':visible')).click();
    await deployment('Live').waitFor({ timeout: 90_000 });
    assert.match((await visit(browser, panel.site('shop'))).text, /The first version/);
  });

  await step('the other pages', async () => {
    await toApplication('shop');
    await tab('Environment').click();
    await shoot(page, 'environment');
    await tab('Settings').click();
    await shoot(page, 'settings');
  });

  await step('it is stopped, started, and deleted by its name', async () => {
    await tab('Overview').click();
    await button('Stop…').click();
    await button('Stop').click();
    await page.getByText('Stopped', { exact: true }).first().waitFor();
    await until('visitors are told', async () => (await visit(browser, panel.site('shop'))).status === 503, { seconds: 20 });
    await shoot(page, 'application-stopped');
    await button('Start').click();
    await page.getByText('1 of 1 running').waitFor({ timeout: 60_000 });
    await tab('Settings').click();
    await page.locator('summary', { hasText: 'Delete application' }).click();
    await page.getByLabel(/to confirm/).fill('shop');
    await button('Delete application').click();
    await page.getByText('No applications yet').waitFor();
    await until('it is gone', async () => (await visit(browser, panel.site('shop'))).status === 404, { seconds: 20 });
  });

  await step('nothing went wrong inside the browser', () => {
    assert.deepEqual(page.troubles.filter((trouble) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|status of 400/.test(trouble)), []);
  });
});
