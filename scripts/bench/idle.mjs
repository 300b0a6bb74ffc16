// Resident memory and processor time of a panel: with no application, for reference; with 100 that run; and after everything in it has
// been used once: every page, every part of the API, a password judged.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench, busy, resident } from './bench.mjs';

/** Share of one core over a minute, in percent. */
const share = async (pid) => {
  const before = busy(pid);
  await sleep(60_000);
  return ((busy(pid) - before) / 60) * 100;
};

/** The first address of each kind, an id or a token standing for all of its kind. */
const kindOf = (path) => path.replace(/\?.*/, '').replaceAll(/\/[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}/g, '/*');

/** Opens every page that can be reached by links, one of each kind; gives how many there were. */
const visitPages = async (panel, cookie, first) => {
  const [seen, waiting] = [new Set(), first];
  while (waiting.length) {
    const path = waiting.pop();
    if (seen.has(kindOf(path))) continue;
    seen.add(kindOf(path));
    const answer = await fetch(panel.url + path, { headers: { cookie }, redirect: 'manual' });
    const html = await answer.text();
    if (answer.status >= 500) throw new Error(`${path} answered ${answer.status}`);
    for (const [, link] of html.matchAll(/href="(\/[^"#]*)"/g)) if (!/^\/(pkg|api)\//.test(link)) waiting.push(link);
  }
  return seen.size;
};

/** Reads once from every route of the API that only reads, with ids that are there where we have them; gives how many there were. */
const readApi = async (panel, api, app) => {
  const document = await (await fetch(`${panel.url}/api/openapi.json`)).json();
  const paths = Object.keys(document.paths).filter((path) => document.paths[path].get);
  for (const path of paths) {
    const url = panel.url + path.replace('/applications/{id}', `/applications/${app}`).replaceAll(/\{\w+\}/g, app);
    const answer = await fetch(url, { headers: { authorization: `Bearer ${api.token}` }, signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    if (answer?.status >= 500) throw new Error(`${path} answered ${answer.status}`);
    await answer?.body?.cancel(); // a stream of events has no end
  }
  return paths.length;
};

/** Where the memory lies, in MiB: what was allocated, what of the program's files is mapped, stacks. */
const mapped = (pid) => {
  const sums = { anonymous: 0, files: 0 };
  for (const part of readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const kb = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(part)?.[1] ?? 0);
    sums.anonymous += kb('Anonymous') / 1024;
    sums.files += (kb('Rss') - kb('Anonymous')) / 1024;
  }
  return sums;
};

// Deployed quickly: what is measured comes after.
const panel = await startPanel({
  app: process.argv[2],
  swarm: 'fake',
  env: { SKYPANEL_DEPLOY__STABILITY_SECONDS: '0', SKYPANEL_DEPLOY__CONCURRENT: '8', SKYPANEL_LIMITS__ENABLED: 'false' },
});
try {
  await sleep(5_000);
  bench('idle.empty.memory', resident(panel.pid), 'MiB');
  bench('idle.empty.processor', await share(panel.pid), '%');
  const api = await Api.firstAdministrator(panel); // her password is judged
  const names = Array.from({ length: 100 }, (_, n) => `shop-${n + 1}`);
  let app;
  const one = async () => {
    for (let name = names.pop(); name; name = names.pop()) {
      app = await api.createApplication({ name, image: 'busybox:latest', port: 8080, resource_limits: { memory_bytes: 64 << 20 } });
      const { phase, failure } = await api.deploy(app.id, { wait: 60 });
      if (phase !== 'live') throw new Error(`${name} ended as ${phase}: ${JSON.stringify(failure)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  await sleep(15_000);
  bench('idle.100_applications.memory', resident(panel.pid), 'MiB');
  bench('idle.100_applications.processor', await share(panel.pid), '%', { most: 1 });
  bench('idle.used.pages', await visitPages(panel, api.cookie, ['/', '/kit', '/admin', `/applications/${app.id}`]), 'pages');
  bench('idle.used.routes', await readApi(panel, api, app.id), 'routes');
  await sleep(15_000);
  bench('idle.used.memory', resident(panel.pid), 'MiB', { most: 80 });
  const { anonymous, files } = mapped(panel.pid);
  bench('idle.used.memory.allocated', anonymous, 'MiB');
  bench('idle.used.memory.program', files, 'MiB');
} finally {
  await panel.stop();
}
