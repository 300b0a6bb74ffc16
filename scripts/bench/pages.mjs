// p99 of the application list, beside the health check, which costs a request and nothing more.
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench, load } from './bench.mjs';

const panel = await startPanel({ app: process.argv[2], swarm: 'fake', env: { SKYPANEL_LIMITS__ENABLED: 'false' } });
try {
  const api = await Api.firstAdministrator(panel);
  for (let n = 1; n <= 50; n += 1) await api.createApplication({ name: `shop-${n}`, image: 'busybox:latest' });
  const cookie = { cookie: api.cookie };
  const bearer = { authorization: `Bearer ${api.token}` };
  const health = await load(`${panel.url}/healthz`);
  bench('pages.health_check.p99', health.p99, 'ms');
  const page = await load(`${panel.url}/applications`, { headers: cookie });
  bench('pages.application_list.p99', page.p99, 'ms', { most: 20 });
  bench('pages.application_list.rate', page.perSecond, 'req/s');
  const rest = await load(`${panel.url}/api/paas/applications`, { headers: bearer });
  bench('pages.application_list_api.p99', rest.p99, 'ms', { most: 20 });
  bench('pages.application_list_api.rate', rest.perSecond, 'req/s');
} finally {
  await panel.stop();
}
