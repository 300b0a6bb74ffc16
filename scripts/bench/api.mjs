// The API on one database: what a request costs the panel beside a reference, how long requests take at a fixed rate, and how long with
// a hundred in flight.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench, load, openLoop, processorTime, startReference } from './bench.mjs';

const run = promisify(execFile);
const { SKYPANEL_BENCH_DATABASE: database, SKYPANEL_BENCH_PSQL: psql, SKYPANEL_BENCH_SEED: seed, SKYPANEL_TEST_DIR: folder } = process.env;
const kind = database ? 'postgres' : 'sqlite';
/** Applications that are written to in turn, so that writes meet each other rarely. */
const MANY = 400;

// Limits are counted as always, and never reached.
const many = '100000000';
const panel = await startPanel({
  app: process.argv[2],
  swarm: 'fake',
  env: {
    ...(database && { DATABASE_URL: database }),
    SKYPANEL_LIMITS__ADDRESS: many,
    SKYPANEL_LIMITS__CREDENTIAL: many,
    SKYPANEL_LIMITS__ORGANIZATION: many,
  },
});

/** Makes the applications; on PostgreSQL with 1 000 organizations, 10 000 people and 1 000 000 lines of the trail around them. */
const fill = async (api, app) => {
  if (!database) {
    const ids = [];
    for (let n = 1; n <= MANY; n += 1) ids.push((await api.createApplication({ name: `bench-${n}`, image: 'busybox:latest' })).id);
    return ids;
  }
  const me = await api.call('GET', '/api/auth/me');
  const values = { owner: me.user.id, org: me.organization.id, app: app.id };
  await run(psql, [database, '-q', ...Object.entries(values).flatMap(([name, value]) => ['-v', `${name}=${value}`]), '-f', seed]);
  return Array.from({ length: MANY }, (_, n) => `app_${String(n + 1).padStart(26, '0')}`);
};

/** A script of wrk's: writes to one application after the other. */
const writing = async (ids, token) => {
  const script = join(folder, 'writes.lua');
  await writeFile(
    script,
    `local ids = { ${ids.map((id) => `"${id}"`).join(', ')} }
local n = 0
wrk.method = "PUT"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer ${token}"
request = function()
  n = n + 1
  return wrk.format(nil, "/api/paas/applications/" .. ids[n % #ids + 1], nil, string.format('{"port":%d}', 3000 + n % 5000))
end`,
  );
  return script;
};

let reference;
try {
  const api = await Api.firstAdministrator(panel);
  const app = await api.createApplication({ name: 'measured', image: 'busybox:latest' });
  const ids = await fill(api, app);
  const headers = { authorization: `Bearer ${api.token}` };
  const [one, list] = [`/api/paas/applications/${app.id}`, '/api/paas/applications?limit=50'];
  const script = await writing(ids, api.token);
  reference = await startReference(panel, { token: api.token, cookie: api.cookie, app: app.id });

  const requests = {
    read: { path: one, headers, most: 2.0 },
    list: { path: list, headers, most: 2.0 },
    write: { path: one, script, conflicts: true, most: 2.5 },
  };
  for (const [name, { most, ...request }] of Object.entries(requests)) {
    const took = await processorTime(panel, reference, request);
    bench(`api.${kind}.${name}.processor`, took.panel, 'µs');
    bench(`api.${kind}.${name}.processor.reference`, took.reference, 'µs');
    bench(`api.${kind}.${name}.processor.ratio`, took.panel / took.reference, '×', { most });
  }

  const put = { method: 'PUT', url: `${panel.url}/api/paas/applications/{id}`, body: '{"port":{n}}' };
  const kinds = [
    { name: 'read', share: 80, method: 'GET', url: panel.url + one },
    { name: 'list', share: 10, method: 'GET', url: panel.url + list },
    { name: 'write', share: 10, ...put },
  ];
  const came = await openLoop({ rate: 1000, ids, headers, kinds });
  for (const { name } of kinds) bench(`api.${kind}.${name}.at_1000_a_second.p99`, came[name].p99, 'ms', { most: name === 'write' ? 25 : 10 });

  for (const [name, { path, most, ...request }] of Object.entries(requests)) {
    const full = await load(panel.url + path, { ...request, inFlight: 100, seconds: 10 });
    bench(`api.${kind}.${name}.at_100_in_flight.p99`, full.p99, 'ms', { most: name === 'write' ? 100 : 40 });
    bench(`api.${kind}.${name}.at_100_in_flight.rate`, full.perSecond, 'req/s');
  }
} finally {
  reference?.stop();
  await panel.stop();
}
