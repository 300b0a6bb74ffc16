// Every way in, as a person goes it: a real provider of OpenID Connect, a passkey of Chromium's virtual authenticator, an app's codes.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ADMINISTRATOR } from './api.mjs';
import { evidence, openBrowser, openPage, shoot, startPanel, story } from './harness.mjs';
import * as oidc from './oidc-provider.mjs';

const PROVIDER = { id: 'acme', name: 'Acme' };
let folder, provider, panel, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sign-in-'));
  provider = await oidc.start();
  const secret = join(folder, 'secret');
  const config = join(folder, 'skypanel.toml');
  await writeFile(secret, `${provider.client.secret}\n`);
  const settings = { ...PROVIDER, issuer: provider.issuer, client_id: provider.client.id, client_secret_file: secret };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  await writeFile(config, ['[[oidc]]', ...lines, ''].join('\n'));
  panel = await startPanel({ swarm: 'fake', env: { SKYPANEL_CONFIG: config } });
  provider.serve(panel.url, PROVIDER.id);
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await panel?.stop();
  await provider?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The code that an app shows `steps` half minutes from now (RFC 6238). */
const code = (seed, steps = 0) => {
  const bits = [...seed].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
};

const button = (page, name) => page.getByRole('button', { name, exact: true });
const arrives = (page, path) => page.waitForURL((url) => url.pathname === path);

const signOut = async (page) => {
  await page.getByLabel(/^Account of/).click();
  await button(page, 'Sign out').click();
  await arrives(page, '/sign-in');
};

const givePassword = async (page, { email, password }) => {
  await page.goto(`${panel.url}/sign-in`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await button(page, 'Sign in').click();
};

test('a passkey signs in after the password, and instead of it', { timeout: 180_000 }, async (t) => {
  const page = await openPage(browser);
  const step = story(t, evidence(page, panel));
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });

  await step('the first administrator registers one, and gets recovery codes', async () => {
    await page.goto(await panel.firstLink());
    await page.getByLabel('Name').fill(ADMINISTRATOR.name);
    await page.getByLabel('Email').fill(ADMINISTRATOR.email);
    await page.getByLabel('Password').fill(ADMINISTRATOR.password);
    await button(page, 'Create account').click();
    await arrives(page, '/applications');
    await page.goto(`${panel.url}/account/security`);
    await page.getByLabel('Name', { exact: true }).fill('Laptop');
    await button(page, 'Add a passkey').click();
    await arrives(page, '/account/security/recovery-codes');
    const codes = await page.locator('[data-recovery-codes]').innerText();
    assert.equal(codes.trim().split('\n').length, 10);
    await shoot(page, 'recovery-codes');
    await button(page, 'I have kept them').click();
    await arrives(page, '/account/security');
    await page.getByRole('link', { name: 'Laptop' }).waitFor();
    await shoot(page, 'security');
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
    assert.equal(credentials.length, 1);
    assert.equal(credentials[0].isResidentCredential, true);
  });

  await step('without a password', async () => {
    await signOut(page);
    await shoot(page, 'sign-in');
    await button(page, 'Sign in with a passkey').click();
    await arrives(page, '/applications');
  });

  await step('after the password', async () => {
    await signOut(page);
    await givePassword(page, ADMINISTRATOR);
    await arrives(page, '/sign-in/second-factor');
    await shoot(page, 'second-factor');
    await button(page, 'Use a passkey instead').click();
    await arrives(page, '/applications');
  });

  await step('one that is cancelled says so, and nothing is lost', async () => {
    await signOut(page);
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await button(page, 'Sign in with a passkey').click();
    await page.getByText('No passkey was used').waitFor();
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await button(page, 'Sign in with a passkey').click();
    await arrives(page, '/applications');
  });

  await step('it is removed with a passkey', async () => {
    await page.goto(`${panel.url}/account/security`);
    await page.getByRole('link', { name: 'Laptop' }).click();
    await shoot(page, 'passkey');
    await button(page, 'Confirm with a passkey and remove').click();
    await arrives(page, '/account/security');
    assert.equal(await page.getByRole('link', { name: 'Laptop' }).count(), 0);
  });
  await page.context().close();
});

test('a real provider signs a user in', { timeout: 120_000 }, async (t) => {
  const page = await openPage(browser);
  const step = story(t, evidence(page, panel));

  await step('somebody new goes there, agrees, and is in', async () => {
    await page.goto(`${panel.url}/sign-in`);
    await page.getByRole('link', { name: 'Sign in with Acme' }).click();
    await page.waitForURL((url) => url.origin === provider.issuer);
    await page.locator('input[name=login]').fill('grace');
    await page.locator('input[name=password]').fill('whatever');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await arrives(page, '/applications');
    await page.getByLabel('Account of Grace Hopper').click();
    await page.getByText('grace@acme.example').waitFor();
  });

  await step('and the next time at once', async () => {
    await page.goto(`${panel.url}/applications`);
    await signOut(page);
    await page.getByRole('link', { name: 'Sign in with Acme' }).click();
    await arrives(page, '/applications');
    await page.goto(`${panel.url}/account/security`);
    await page.getByRole('cell', { name: 'grace@acme.example' }).waitFor();
  });
  await page.context().close();
});

test('an app’s codes and recovery codes are asked for after the password', { timeout: 120_000 }, async (t) => {
  const page = await openPage(browser);
  const step = story(t, evidence(page, panel));
  const person = { name: 'Katherine Johnson', email: 'katherine@example.com', password: 'orbit and reentry 1962' };
  let seed, recovery;

  await step('the app is set up with its first code', async () => {
    await page.goto(`${panel.url}/sign-up`);
    await page.getByLabel('Name').fill(person.name);
    await page.getByLabel('Email').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await button(page, 'Create account').click();
    await arrives(page, '/applications');
    await page.goto(`${panel.url}/account/security`);
    await button(page, 'Set up an app').click();
    await page.getByRole('img', { name: 'QR code for the app' }).waitFor();
    seed = (await page.getByText(/^[A-Z2-7]{32}$/).first().innerText()).trim();
    await shoot(page, 'authenticator-app');
    await page.getByLabel('Code', { exact: true }).fill('000000');
    await button(page, 'Turn on').click();
    await page.getByText('This is not the code of now').first().waitFor();
    await page.getByLabel('Code', { exact: true }).fill(code(seed));
    await button(page, 'Turn on').click();
    await arrives(page, '/account/security/recovery-codes');
    recovery = (await page.locator('[data-recovery-codes]').innerText()).trim().split('\n');
    await button(page, 'I have kept them').click();
  });

  for (const [what, give] of [
    ['a code of the app', () => code(seed, 1)],
    ['a recovery code', () => recovery[0]],
  ]) {
    await step(`signing in takes ${what}`, async () => {
      await signOut(page);
      await givePassword(page, person);
      await arrives(page, '/sign-in/second-factor');
      await page.getByLabel('Code', { exact: true }).fill(give());
      await button(page, 'Sign in').click();
      await arrives(page, '/applications');
    });
  }

  await step('and nine are left', async () => {
    await page.goto(`${panel.url}/account/security`);
    await page.getByText('9 of 10 left').waitFor();
  });
  await page.context().close();
});
