// What an application was asked, as its owner sees it: the same numbers that the visitors counted.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR, Api } from './api.mjs';
import { SERVES } from './apps.mjs';
import * as git from './git-server.mjs';
import { evidence, openBrowser, openPage, shoot, startPanel, story, until } from './harness.mjs';

let server, panel, browser, page, api, app;

before(async () => {
  server = await git.start();
  panel = await startPanel();
  api = await Api.firstAdministrator(panel);
  const repository = server.createRepo('measured');
  repository.commit({ Dockerfile: SERVES, 'index.html': 'Count me.\n' }, 'Begin');
  app = await api.createApplication({ name: 'measured', git: repository.url });
  browser = await openBrowser();
  page = await openPage(browser);
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await server?.stop();
});

/** The status of an answer. Node does not know that names under `localhost` are this machine; browsers do. */
const ask = (path) =>
  new Promise((resolve, reject) => {
    const { host, port } = new URL(panel.site('measured'));
    const request = http.get({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
    request.on('error', reject);
  });

test('the numbers of an application', { timeout: 300_000 }, async (t) => {
  const step = story(t, evidence(page, panel));
  const base = () => `${panel.url}/applications/${app.id}`;

  await step('before the first request there is a hint instead of empty charts', async () => {
    await page.goto(panel.url);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
    await page.goto(base());
    await page.getByRole('link', { name: 'Metrics', exact: true }).click();
    await page.getByText('No requests yet').waitFor();
  });

  await step('what visitors ask is counted', async () => {
    assert.equal((await api.deploy(app.id, { wait: 120 })).phase, 'live');
    for (let n = 0; n < 20; n += 1) assert.equal(await ask('/'), 200);
    for (let n = 0; n < 5; n += 1) assert.equal(await ask('/nothing'), 404);
    const total = await until('25 requests are counted', async () => {
      const { total } = await api.call('GET', `/api/paas/applications/${app.id}/metrics?range=1h`);
      return total.requests === 25 && total;
    });
    assert.deepEqual([total.success, total.client_error, total.server_error], [20, 5, 0]);
  });

  await step('the page shows charts with the deployment, and all numbers as a table', async () => {
    await page.goto(`${base()}/metrics?range=1h`);
    const charts = page.getByRole('img', { name: /^(Requests|Time to answer|Data|In hand|Retried and waited)/ });
    assert.equal(await charts.count(), 5);
    await page.getByRole('img', { name: /Requests 25 requests, 0 % of them/ }).waitFor();
    assert.equal(await page.getByRole('link', { name: '#1', exact: true }).count(), 1);
    await page.getByText('Show the numbers').click();
    await page.getByRole('table', { name: 'The numbers of all charts' }).waitFor();
    await page.getByRole('link', { name: '7 days', exact: true }).click();
    await page.waitForURL(/range=7d/);
    await page.getByRole('link', { name: 'Deployment 1', exact: true }).click();
    await page.getByText('Only deployment 1.').waitFor();
    await shoot(page, 'metrics');
  });

  await step('on a phone nothing sticks out', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const sticksOut = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    await page.setViewportSize({ width: 1280, height: 800 });
    assert.equal(sticksOut, false);
  });

  await step('the overview tells of the last hour, and the operator sees every edge', async () => {
    await page.goto(base());
    await page.getByRole('heading', { name: 'The last hour' }).waitFor();
    await page.goto(`${panel.url}/admin/traffic`);
    await page.getByRole('table', { name: /^Edges/ }).getByText('panel').first().waitFor();
    await shoot(page, 'admin-traffic');
  });

  await step('the access log is a source of its own', async () => {
    await page.goto(`${base()}/logs`);
    await page.getByRole('link', { name: 'Access log', exact: true }).click();
    await page.getByRole('region', { name: 'Access log' }).waitFor();
    await page.getByLabel('Paths that contain').fill('/cart');
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
    await page.waitForURL(/path=%2Fcart/);
    await page.getByText('No request like this').waitFor();
    await shoot(page, 'access-log');
  });

  assert.deepEqual(page.troubles, []);
});
