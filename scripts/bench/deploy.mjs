// A whole deployment, beside the two Docker commands that it cannot do without, in turn, on the same warm engine.
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Api } from '../../end2end/api.mjs';
import * as git from '../../end2end/git-server.mjs';
import { startPanel, until } from '../../end2end/harness.mjs';
import { bench, median } from './bench.mjs';

const ROUNDS = 5;
/** Waiting by design: how long the tasks of a release must be well before it counts. */
const STABLE_SECONDS = 1;

const run = promisify(execFile);
const docker = async (...args) => (await run('docker', ['-H', process.env.SKYPANEL_TEST_DOCKER, ...args])).stdout.trim();
const timed = async (work) => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

/** The phases of each deployment with their times. */
const spans = [];
const server = await git.start();
const repository = server.createRepo('bench');
repository.commit({ Dockerfile: 'FROM busybox:latest\nCOPY index.html /www/index.html\nEXPOSE 8080\nCMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n' });
/** A commit that nobody has built yet: neither of the two may live off what the other left in the builder's cache. */
const change = (text) => repository.commit({ 'index.html': `${text}\n` }, text);
const checkout = join(process.env.SKYPANEL_TEST_DIR, 'checkout');

const panel = await startPanel({ app: process.argv[2], env: { SKYPANEL_DEPLOY__STABILITY_SECONDS: String(STABLE_SECONDS) } });
try {
  const api = await Api.firstAdministrator(panel);
  const app = await api.createApplication({ name: 'bench', git: repository.url, port: 8080 });
  const deploy = async (text) => {
    change(text);
    const took = await timed(async () => {
      const { phase, failure, phases } = await api.deploy(app.id, { wait: 120 });
      if (phase !== 'live') throw new Error(`the deployment ended as ${phase}: ${JSON.stringify(failure)}`);
      spans.push(phases);
    });
    return took;
  };
  await deploy('The first'); // warms everything
  const [bare, whole] = [[], []];
  spans.length = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `bare-${round}`;
    change(`Bare ${round}`);
    await run('git', ['clone', '-q', repository.url, checkout]);
    bare.push(
      await timed(async () => {
        await docker('build', '-q', '-t', name, checkout);
        await docker('service', 'create', '--quiet', '--detach', '--name', name, name);
        await until(
          'the bare service runs',
          async () => (await docker('service', 'ps', '--format', '{{.CurrentState}}', name)).startsWith('Running'),
          { every: 20 },
        );
      }),
    );
    await docker('service', 'rm', name);
    await rm(checkout, { recursive: true });
    whole.push(await deploy(`Whole ${round}`));
  }
  /** Where the time went, by the phases' own times. */
  for (const phase of spans[0].map((span) => span.phase)) {
    const took = spans.flatMap((phases) => phases.filter((span) => span.phase === phase && span.finished_at));
    if (took.length) bench(`deploy.phase.${phase}`, median(took.map((span) => (new Date(span.finished_at) - new Date(span.started_at)) / 1000)), 's');
  }
  bench('deploy.docker_alone', median(bare), 's');
  bench('deploy.whole', median(whole), 's');
  bench('deploy.overhead', median(whole) - STABLE_SECONDS - median(bare), 's', { most: 2 });
} finally {
  await panel.stop();
  await server.stop();
}
