// Resident memory and processor time of an idle panel: with no application, for reference, and with 100 that run.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPanel } from '../../end2end/harness.mjs';
import { Api } from '../../end2end/api.mjs';
import { bench } from './bench.mjs';

/** Resident memory in MiB. */
const resident = async (pid) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Processor time so far, in seconds (a tick is 10 ms on every Linux that we run on). */
const busy = async (pid) => {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** Share of one core over a minute, in percent. */
const share = async (pid) => {
  const before = await busy(pid);
  await sleep(60_000);
  return (((await busy(pid)) - before) / 60) * 100;
};

// Deployed quickly: what is measured comes after.
const panel = await startPanel({
  app: process.argv[2],
  swarm: 'fake',
  env: { SKYPANEL_DEPLOY__STABILITY_SECONDS: '0', SKYPANEL_DEPLOY__CONCURRENT: '8' },
});
try {
  await sleep(5_000);
  bench('idle.empty.memory', await resident(panel.pid), 'MiB');
  bench('idle.empty.processor', await share(panel.pid), '%');
  const api = await Api.firstAdministrator(panel);
  const names = Array.from({ length: 100 }, (_, n) => `shop-${n + 1}`);
  const one = async () => {
    for (let name = names.pop(); name; name = names.pop()) {
      const app = await api.createApplication({ name, image: 'busybox:latest', port: 8080, resource_limits: { memory_bytes: 64 << 20 } });
      const { phase, failure } = await api.deploy(app.id, { wait: 60 });
      if (phase !== 'live') throw new Error(`${name} ended as ${phase}: ${JSON.stringify(failure)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  await sleep(15_000);
  bench('idle.100_applications.memory', await resident(panel.pid), 'MiB', { most: 80 });
  bench('idle.100_applications.processor', await share(panel.pid), '%', { most: 1 });
} finally {
  await panel.stop();
}
