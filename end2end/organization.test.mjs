// Two people, one organization: an invitation that goes out by a real mail server, which was away when it was sent, and what the
// invited person may then do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Api } from './api.mjs';
import { evidence, openBrowser, openPage, startPanel, story, until } from './harness.mjs';
import * as mail from './mail-server.mjs';

const GRACE = { name: 'Grace Hopper', email: 'grace@example.com', password: 'a moth in relay seventy' };

let server, panel, browser, owner, api;

before(async () => {
  server = await mail.start({ up: false });
  panel = await startPanel({
    swarm: 'fake',
    env: {
      SKYPANEL_MAIL__SMTP__HOST: '127.0.0.1',
      SKYPANEL_MAIL__SMTP__PORT: String(server.port),
      SKYPANEL_MAIL__SMTP__SECURITY: 'none',
      SKYPANEL_MAIL__FROM: 'panel@example.com',
    },
  });
  api = await Api.firstAdministrator(panel);
  await api.createApplication({ name: 'shop', image: 'busybox:latest' });
  browser = await openBrowser();
  owner = await openPage(browser);
  const [name, value] = api.cookie.split('; ').find((it) => it.startsWith('skypanel_session=')).split('=');
  await owner.context().addCookies([{ name, value, url: panel.url }]);
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await server?.stop();
});

test('an invitation by mail, from the button to the member', { timeout: 300_000 }, async (t) => {
  const step = story(t, evidence(owner, panel));
  const button = (page, name) => page.getByRole('button', { name, exact: true });
  let link, grace;

  await step('the owner invites somebody although the mail server is away', async () => {
    await owner.goto(`${panel.url}/organization/members/invite`);
    await owner.getByLabel('Email').fill(GRACE.email);
    await owner.getByLabel('Role').selectOption('developer');
    await button(owner, 'Send invitation').click();
    await owner.getByText('The invitation is on its way.').waitFor();
    await owner.getByText(GRACE.email).first().waitFor();
  });

  await step('the mail arrives once the server is back, and once only', async () => {
    await server.up();
    const message = await server.message(GRACE.email, 'invites you');
    link = message.text.match(/https?:\/\/\S+\/invitations\/\S+/)[0];
    assert.ok(message.html.includes('/invitations/'));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.equal(server.messages().filter((one) => one.to.includes(GRACE.email)).length, 1);
  });

  await step('who has no account makes one right there', async () => {
    grace = await openPage(browser);
    await grace.goto(link);
    await grace.getByText('Developer').first().waitFor();
    await grace.getByLabel('Name').fill(GRACE.name);
    await grace.getByLabel('Password').fill(GRACE.password);
    await grace.locator('main form button:not([type=button])').first().click();
    await grace.goto(`${panel.url}/applications`);
    await grace.getByRole('link', { name: 'shop' }).waitFor();
  });

  await step('a developer makes applications and deletes none', async () => {
    await grace.getByRole('link', { name: 'shop' }).click();
    await grace.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Settings' }).click();
    await button(grace, 'Save settings').waitFor();
    assert.equal(await button(grace, 'Save settings').isEnabled(), true);
    await grace.goto(`${panel.url}/organization/members/invite`);
    const invite = button(grace, 'Send invitation');
    assert.equal((await invite.count()) === 0 || !(await invite.isEnabled()), true, 'a developer invites nobody');
  });

  await step('the link is good once', async () => {
    await grace.goto(link);
    await grace.getByText(/already|used|accepted/i).first().waitFor();
  });

  await step('the owner makes her a viewer, and she can change nothing any more', async () => {
    const members = await api.call('GET', `/api/organizations/${(await api.call('GET', '/api/auth/me')).organization.id}/members`);
    const hers = members.find((member) => member.email === GRACE.email);
    const org = (await api.call('GET', '/api/auth/me')).organization.id;
    await api.call('PUT', `/api/organizations/${org}/members/${hers.user_id ?? hers.id}`, { role: 'viewer' });
    await grace.goto(`${panel.url}/applications`);
    await grace.getByRole('link', { name: 'shop' }).click();
    await until('the buttons are locked', async () => {
      await grace.reload();
      return !(await button(grace, 'Deploy').isEnabled());
    });
  });

  await step('the trail tells all of it', async () => {
    await owner.goto(`${panel.url}/organization/activity`);
    for (const name of ['invitation.sent', 'invitation.accepted', 'member.role_changed']) {
      assert.ok((await owner.content()).includes(name) || (await owner.getByText(name).count()) > 0, name);
    }
  });
});
