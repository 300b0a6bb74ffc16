// A domain of a customer's own: claimed in the browser, proven in the DNS, certified by a real authority, opened by Chromium over TLS.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR, Api } from './api.mjs';
import { SERVES } from './apps.mjs';
import * as authorities from './authority.mjs';
import * as git from './git-server.mjs';
import { evidence, freePort, openBrowser, openPage, shoot, startPanel, story, until } from './harness.mjs';

const DOMAIN = 'shop.example';

let server, authority, panel, api, browser, page, home, tlsPort;

before(async () => {
  server = await git.start();
  const httpPort = await freePort();
  tlsPort = await freePort();
  authority = await authorities.start({ httpPort, tlsPort });
  const env = {
    ...authority.env,
    SKYPANEL_EDGE__LISTEN: `["127.0.0.1:${httpPort}"]`,
    SKYPANEL_EDGE__LISTEN_TLS: `["127.0.0.1:${tlsPort}"]`,
  };
  panel = await startPanel({ env });
  api = await Api.firstAdministrator(panel);
  home = await authorities.homeThatTrusts(authority.rootFile);
  browser = await openBrowser({ env: { HOME: home }, args: [`--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1`] });
  page = await openPage(browser);
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await authority?.stop();
  await server?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

test('a domain from its claim to a page over TLS', { timeout: 300_000 }, async (t) => {
  const says = evidence(page, panel);
  const step = story(t, async (t, name) => {
    t.diagnostic(`the authority said last:\n${authority.tail()}`);
    await says(t, name);
  });
  const button = (name) => page.getByRole('button', { name, exact: true });
  let app;

  await step('an application runs', async () => {
    const repository = server.createRepo('tls');
    repository.commit({ Dockerfile: SERVES, 'index.html': 'Hello over TLS.\n' }, 'Begin');
    app = await api.createApplication({ name: 'tls', git: repository.url });
    await api.deploy(app.id, { wait: 120 });
    await page.goto(panel.url);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await button('Sign in').click();
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
  });

  await step('a name that is none is refused beside its field', async () => {
    await page.goto(`${panel.url}/applications/${app.id}/domains`);
    await shoot(page, 'domains-none');
    await page.getByRole('textbox', { name: 'Domain' }).fill('192.0.2.1');
    await button('Add domain').click();
    await page.getByText('That is an IP address').last().waitFor();
    await shoot(page, 'domains-refused');
  });

  await step('a domain is claimed, and its page says what to set', async () => {
    await page.getByRole('textbox', { name: 'Domain' }).fill(DOMAIN);
    await button('Add domain').click();
    await page.getByRole('heading', { name: DOMAIN, level: 1 }).waitFor();
    await page.getByText(`_skypanel.${DOMAIN}`, { exact: true }).first().waitFor();
    await shoot(page, 'domain-claimed');
  });

  await step('wrong records are told: what was found, and what was expected', async () => {
    await authority.address(DOMAIN, '203.0.113.9');
    await button('Check now').click();
    await page.getByText('The domain points elsewhere').or(page.getByText('points to a private address')).first().waitFor();
    await page.getByText(`There is no TXT record at _skypanel.${DOMAIN} yet`).waitFor();
    await shoot(page, 'domain-wrong-records');
  });

  await step('the right ones prove it, and the certificate comes by itself', async () => {
    const token = /skypanel-[0-9a-f]{32}/.exec(await page.locator('main').innerText())?.[0];
    assert.ok(token, 'the page shows the record’s value');
    await authority.address(DOMAIN, '127.0.0.1');
    await authority.txt(`_skypanel.${DOMAIN}`, token);
    await button('Check now').click();
    await page.getByText('Verified', { exact: true }).first().waitFor();
    // Nobody presses anything: the page follows.
    await page.getByText('Issued by', { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByText(/Pebble/).first().waitFor();
    await shoot(page, 'domain-issued');
  });

  await step('Chromium opens the site over TLS', async () => {
    const visitor = await openPage(browser);
    const url = `https://${DOMAIN}:${tlsPort}/`;
    const answer = await until('the site answers over TLS', () => visitor.goto(url), { seconds: 20, every: 500 });
    assert.equal(answer.status(), 200);
    assert.match(await visitor.locator('body').innerText(), /Hello over TLS/);
    const { issuer, protocol } = await answer.securityDetails();
    assert.match(issuer, /Pebble/);
    assert.equal(protocol, 'TLS 1.3');
    await visitor.context().close();
  });

  await step('one that does not trust the authority is warned', async () => {
    const other = await openBrowser({ args: [`--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1`] });
    const visitor = await openPage(other);
    await assert.rejects(visitor.goto(`https://${DOMAIN}:${tlsPort}/`), /ERR_CERT_AUTHORITY_INVALID/);
    await other.close();
  });

  await step('an upload that does not fit is refused with the reason', async () => {
    await page.getByText('Upload your own', { exact: true }).click();
    await page.getByLabel('Certificate chain').fill('hello');
    await page.getByLabel('Private key').fill('hello');
    await button('Upload').click();
    await page.getByText('It begins with -----BEGIN CERTIFICATE-----').first().waitFor();
    assert.equal(await page.getByLabel('Private key').inputValue(), '');
  });

  await step('the list shows it, and it is removed by its name', async () => {
    await page.goto(`${panel.url}/domains`);
    await page.getByRole('link', { name: DOMAIN, exact: true }).waitFor();
    await shoot(page, 'domains');
    await page.getByRole('link', { name: DOMAIN, exact: true }).click();
    await page.getByRole('heading', { name: DOMAIN, level: 1 }).waitFor();
    const domain = (await api.call('GET', `/api/paas/applications/${app.id}/domains`))[0];
    await api.call('DELETE', `/api/paas/domains/${domain.id}`);
    const visitor = await openPage(browser);
    await until('it is served no more', () => visitor.goto(`https://${DOMAIN}:${tlsPort}/`).then(() => false, () => true), { seconds: 20 });
    await visitor.context().close();
  });
});
