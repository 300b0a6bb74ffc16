// The same panel for somebody whose browser runs no JavaScript: everything is a form.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR, Api } from './api.mjs';
import { SERVES } from './apps.mjs';
import * as git from './git-server.mjs';
import { evidence, openBrowser, openPage, startPanel, story, until, visit } from './harness.mjs';

let server, panel, browser, page;

before(async () => {
  server = await git.start();
  panel = await startPanel();
  await Api.firstAdministrator(panel);
  browser = await openBrowser();
  page = await openPage(browser, { javaScriptEnabled: false });
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await server?.stop();
});

test('a whole deployment without JavaScript', { timeout: 300_000 }, async (t) => {
  const step = story(t, evidence(page, panel));
  const button = (name) => page.getByRole('button', { name, exact: true });

  await step('a wrong password is told beside what was typed', async () => {
    await page.goto(panel.url);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill('not this one at all');
    await button('Sign in').click();
    assert.equal(await page.getByLabel('Email').inputValue(), ADMINISTRATOR.email);
    assert.equal(await page.getByLabel('Password').inputValue(), '');
  });

  await step('signing in leads to where one wanted to go', async () => {
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await button('Sign in').click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
  });

  await step('an application is made and deployed with one form', async () => {
    const repository = server.createRepo('plain');
    repository.commit({ Dockerfile: SERVES, 'index.html': 'Without a script.\n' }, 'Begin');
    await page.getByRole('link', { name: 'New application' }).first().click();
    await page.getByRole('textbox', { name: 'Repository' }).fill(repository.url);
    await page.getByLabel('Name').fill('plain');
    await button('Create and deploy').click();
    await page.getByRole('status', { name: 'Deployment' }).waitFor();
  });

  await step('reading the page again shows how it went', async () => {
    await until(
      'the deployment is live',
      async () => {
        await page.reload();
        return (await page.getByRole('status', { name: 'Deployment' }).innerText()).includes('Live');
      },
      { seconds: 90, every: 500 },
    );
    await page.getByRole('log').getByText('Visitors see this release now').waitFor();
    assert.match((await visit(browser, panel.site('plain'))).text, /Without a script/);
  });

  await step('the log, scaling and signing out', async () => {
    await page.getByRole('link', { name: 'plain', exact: true }).first().click();
    await page.getByLabel('Replicas', { exact: true }).fill('2');
    await button('Scale').click();
    await until('two run', async () => (await page.reload()) && (await page.getByText('2 of 2 running').count()) > 0, { seconds: 60, every: 500 });
    await page.getByRole('link', { name: 'Logs', exact: true }).click();
    await page.getByRole('log').getByText('I am').first().waitFor();
    const out = button('Sign out');
    if (!(await out.isVisible())) await page.getByLabel(`Account of ${ADMINISTRATOR.name}`).click();
    await out.click();
    await page.getByLabel('Password').waitFor();
    await page.goto(`${panel.url}/applications`);
    assert.match(page.url(), /\/sign-in/);
  });
});
