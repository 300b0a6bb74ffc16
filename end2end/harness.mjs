// What a test of the finished product stands on: a panel of its own, a browser, pictures, and steps that stop at the first failure.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
const PICTURES = join(HERE, 'screenshots');

/** Asks `probe` until it gives something truthy, and gives that; complains with `what` when the time is over. */
export const until = async (what, probe, { seconds = 60, every = 100 } = {}) => {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: still not after ${seconds} s`, { cause: last });
    await sleep(every);
  }
};

/** A TCP port on loopback that nobody listens on. */
export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A range of networks that no other panel on the same engine has: two that know nothing of each other would hand out the same. */
const ownRange = async (folder) => {
  for (let n = 0; n < 100; n += 1) {
    const taken = await mkdir(join(folder, `range-${n}`)).then(
      () => false,
      () => true,
    );
    if (!taken) return `10.${100 + n}.0.0/16`;
  }
  throw new Error(`no range of networks is left in ${folder}`);
};

/** A running panel with a data folder of its own. Made by `startPanel`. */
class Panel {
  #child;
  #app;
  #env;

  constructor({ app, data, port, edgePort, env }) {
    this.#app = app;
    this.#env = env;
    this.data = data;
    this.url = `http://localhost:${port}`;
    this.edgePort = edgePort;
    /** Everything that it has printed since it was first started. */
    this.output = '';
  }

  get pid() {
    return this.#child.pid;
  }

  /** The settings that it runs with. */
  get env() {
    return this.#env;
  }

  /** Starts it (again, on the same data) and waits until it answers. */
  async start() {
    const child = spawn(join(this.#app, 'skypanel'), ['serve'], { cwd: this.#app, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        this.output += text;
      });
    }
    this.gone = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    child.once('error', (error) => {
      this.output += `\n${error}\n`;
    });
    await until('the panel is ready', async () => {
      if (child.exitCode !== null || child.signalCode !== null) return 'gone';
      return (await fetch(`${this.url}/healthz`)).ok && 'ready';
    }).then(
      (state) => {
        if (state === 'gone') throw new Error(`the panel ended at once:\n${this.tail()}`);
      },
      (error) => {
        throw new Error(`${error.message}:\n${this.tail()}`, { cause: error });
      },
    );
    return this;
  }

  /** Asks it to end, and insists after a while. */
  async stop() {
    this.#child.kill('SIGTERM');
    const code = await Promise.race([this.gone, sleep(20_000, 'late', { ref: false })]);
    if (code === 'late') await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }

  /** The power cut: no goodbye, and the data stays. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.gone;
  }

  /** The one-time link that it printed for the first administrator. */
  async firstLink() {
    const link = await until(
      'the one-time link',
      () => /https?:\/\/\S+\?\S*token=[\w-]+|https?:\/\/\S+\/setup\/[\w-]+/.exec(this.output)?.[0],
      { seconds: 15 },
    );
    const { pathname, search } = new URL(link);
    return this.url + pathname + search;
  }

  /** Where an application answers, through the edge. Browsers take every name under localhost for this machine. */
  site(name) {
    return `http://${name}.localhost:${this.edgePort}`;
  }

  tail(lines = 40) {
    return this.output.split('\n').slice(-lines).join('\n');
  }
}

/**
 * Starts a panel on free ports. `app` is a folder that scripts/build.sh made; `swarm` is 'fake' for the one in memory, otherwise the
 * engine in SKYPANEL_TEST_DOCKER is used. `env` adds settings.
 */
export const startPanel = async ({ app = process.env.SKYPANEL_TEST_APP, swarm = 'docker', env = {} } = {}) => {
  const folder = process.env.SKYPANEL_TEST_DIR ?? tmpdir();
  const data = await mkdtemp(join(folder, 'panel-'));
  const [port, edgePort] = [await freePort(), await freePort()];
  const settings = {
    SKYPANEL_DATA_DIR: data,
    SKYPANEL_PANEL__LISTEN: `127.0.0.1:${port}`,
    SKYPANEL_EDGE__LISTEN: JSON.stringify([`127.0.0.1:${edgePort}`]),
    SKYPANEL_SWARM__ENDPOINT: swarm === 'docker' ? process.env.SKYPANEL_TEST_DOCKER : 'fake:',
    ...(swarm === 'docker' && { SKYPANEL_SWARM__SUBNETS: await ownRange(folder) }),
    SKYPANEL_GIT__ALLOWED_NETWORKS: '["127.0.0.0/8"]', // where the repositories of the tests are
    SKYPANEL_DEPLOY__STABILITY_SECONDS: '2',
    SKYPANEL_DEPLOY__DRAIN_SECONDS: '2',
  };
  // Only what a program needs from its surroundings: nothing of the developer's own settings reaches a test.
  const { PATH, HOME, LANG } = process.env;
  return new Panel({ app, data, port, edgePort, env: { PATH, HOME, LANG, ...settings, ...env } }).start();
};

/** A browser that talks to nobody of its own accord, with a profile that ends with it. `args` and `env` add to how it is started. */
export const openBrowser = ({ args = [], env = {} } = {}) =>
  chromium.launch({
    executablePath: process.env.SKYPANEL_TEST_CHROMIUM ?? '/usr/bin/chromium',
    env: { ...process.env, ...env },
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
      ...args,
    ],
  });

/** A page in a session of its own. Whatever goes wrong inside the browser is collected in `page.troubles`. */
export const openPage = async (browser, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') page.troubles.push(message.text());
  });
  return page;
};

const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** Four pictures of the page as it stands: wide and phone, light and dark. */
export const shoot = async (page, name) => {
  await mkdir(PICTURES, { recursive: true });
  const before = page.viewportSize();
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
};

/** What a visitor of an application reads, asked anew. */
export const visit = async (browser, url) => {
  const visitor = await openPage(browser);
  try {
    const answer = await visitor.goto(url);
    return { status: answer.status(), text: await visitor.locator('body').innerText() };
  } finally {
    await visitor.context().close();
  }
};

/**
 * Steps of one story: each is a test of its own, and after a failure the rest is skipped instead of waiting for what cannot come.
 * `onFailure` may leave evidence (a picture, the panel's last words).
 */
export const story = (t, onFailure = async () => {}) => {
  let broken = false;
  return (name, play) =>
    t.test(name, { skip: broken && 'an earlier step failed' }, async (t) => {
      try {
        await play(t);
      } catch (error) {
        broken = true;
        await Promise.resolve(onFailure(t, name)).catch((trouble) => t.diagnostic(`no evidence: ${trouble.message}`));
        throw error;
      }
    });
};

/** Evidence for a failed step: the page as it is, its address and text, and what the panel said last. */
export const evidence = (page, panel) => async (t, name) => {
  await mkdir(PICTURES, { recursive: true });
  t.diagnostic(`the panel said last:\n${panel.tail()}`);
  t.diagnostic(`the page was ${page.url()}:\n${(await page.locator('body').innerText()).slice(0, 3000)}`);
  await page.screenshot({ path: join(PICTURES, `failed-${name.replace(/\W+/g, '-')}.png`), fullPage: true });
};
