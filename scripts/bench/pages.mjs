// The page with 50 applications: what it costs beside the reference of the same list, how long it takes at a fixed rate, and how long
// with a hundred in flight. The health check costs a request and nothing more.
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench, load, openLoop, processorTime, startReference } from './bench.mjs';

const panel = await startPanel({ app: process.argv[2], swarm: 'fake', env: { SKYPANEL_LIMITS__ENABLED: 'false' } });
let reference;
try {
  const api = await Api.firstAdministrator(panel);
  const apps = [];
  for (let n = 1; n <= 50; n += 1) apps.push(await api.createApplication({ name: `shop-${n}`, image: 'busybox:latest' }));
  const headers = { cookie: api.cookie };
  const bearer = { authorization: `Bearer ${api.token}` };
  reference = await startReference(panel, { token: api.token, cookie: api.cookie, app: apps[0].id });

  const list = await processorTime(panel, reference, { path: '/api/paas/applications?limit=50', headers: bearer });
  const page = await processorTime(panel, reference, { path: '/applications', headers });
  bench('pages.application_list.processor', page.panel, 'µs');
  bench('pages.application_list.processor.reference', page.reference, 'µs');
  bench('pages.application_list.processor.reference_of_list', list.reference, 'µs');
  bench('pages.application_list.processor.ratio', page.panel / list.reference, '×', { most: 4 });

  const kinds = [{ name: 'page', share: 100, method: 'GET', url: `${panel.url}/applications` }];
  const came = await openLoop({ rate: 200, headers, kinds });
  bench('pages.application_list.at_200_a_second.p99', came.page.p99, 'ms', { most: 10 });

  const health = await load(`${panel.url}/healthz`, { inFlight: 100 });
  bench('pages.health_check.p99', health.p99, 'ms');
  const full = await load(`${panel.url}/applications`, { headers, inFlight: 100, seconds: 10 });
  bench('pages.application_list.at_100_in_flight.p99', full.p99, 'ms');
  bench('pages.application_list.at_100_in_flight.rate', full.perSecond, 'req/s');
} finally {
  reference?.stop();
  await panel.stop();
}
