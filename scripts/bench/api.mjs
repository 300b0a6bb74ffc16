// p99 of the API's reads and writes at 100 in flight, among many tenants.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench, load } from './bench.mjs';

const run = promisify(execFile);
const { SKYPANEL_BENCH_DATABASE: database, SKYPANEL_BENCH_PSQL: psql, SKYPANEL_BENCH_SEED: seed, SKYPANEL_TEST_DIR: folder } = process.env;

// Limits are counted as always, and never reached.
const many = '100000000';
const panel = await startPanel({
  app: process.argv[2],
  swarm: 'fake',
  env: {
    DATABASE_URL: database,
    SKYPANEL_LIMITS__ADDRESS: many,
    SKYPANEL_LIMITS__CREDENTIAL: many,
    SKYPANEL_LIMITS__ORGANIZATION: many,
  },
});

/** Loads the panel with a script of wrk's: writes to one application after the other. */
const writes = async (token) => {
  const script = join(folder, 'writes.lua');
  await writeFile(
    script,
    `local n = 0
wrk.method = "PUT"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer ${token}"
request = function()
  n = n % 400 + 1
  return wrk.format(nil, string.format("/api/paas/applications/app_%026d", n), nil, string.format('{"port":%d}', 3000 + math.random(1000)))
end`,
  );
  const { stdout } = await run('wrk', ['-t1', '-c100', '-d15s', '--latency', '-s', script, panel.url]);
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  const all = Number(/(\d+) requests in/.exec(stdout)[1]);
  // Two changes of one application that meet are a 409, which is an answer, too.
  if (bad > all / 100 || /Socket errors/.test(stdout)) throw new Error(`writes did not go well:\n${stdout}`);
  const [, figure, unit] = /\n\s+99%\s+([\d.]+)(us|ms|s)/.exec(stdout);
  return { p99: Number(figure) * { us: 0.001, ms: 1, s: 1000 }[unit], perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]) };
};

try {
  const api = await Api.firstAdministrator(panel);
  const app = await api.createApplication({ name: 'measured', image: 'busybox:latest' });
  const me = await api.call('GET', '/api/auth/me');
  const values = { owner: me.user.id, org: me.organization.id, app: app.id };
  await run(psql, [database, '-q', ...Object.entries(values).flatMap(([name, value]) => ['-v', `${name}=${value}`]), '-f', seed]);
  const headers = { authorization: `Bearer ${api.token}` };
  const list = await load(`${panel.url}/api/paas/applications?limit=50`, { inFlight: 100, seconds: 15, headers });
  bench('api.list.p99', list.p99, 'ms', { most: 20 });
  bench('api.list.rate', list.perSecond, 'req/s');
  const one = await load(`${panel.url}/api/paas/applications/${app.id}`, { inFlight: 100, seconds: 15, headers });
  bench('api-read-p99', one.p99, 'ms', { most: 20 });
  bench('api.read.rate', one.perSecond, 'req/s');
  const written = await writes(api.token);
  bench('api-write-p99', written.p99, 'ms', { most: 50 });
  bench('api.write.rate', written.perSecond, 'req/s');
} finally {
  await panel.stop();
}
