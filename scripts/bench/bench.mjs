// How a measurement is told, how the load generators are read, and what a reference and a panel take for the same requests.
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { freePort, until } from '../../end2end/harness.mjs';

const run = promisify(execFile);
/** The program with the reference and the open loop, which scripts/bench/program.sh built. */
const PROGRAM = process.env.SKYPANEL_BENCH_PROGRAM;
/** How long one stretch of load lasts, and how many there are of each kind. */
const SECONDS = Number(process.env.SKY_BENCH_SECONDS ?? 5);
const ROUNDS = Number(process.env.SKY_BENCH_ROUNDS ?? 3);

/** Prints one measurement; `most` is the largest value that is good, without it the line is a reference. */
export const bench = (name, value, unit, { most } = {}) => {
  const shown = Number.isInteger(value) ? value : value.toFixed(value < 10 ? 2 : 1);
  const verdict = most === undefined || value <= most ? 'ok' : 'short';
  console.log(`BENCH ${name} ${shown} ${unit} ${most === undefined ? '-' : `≤${most}`} ${verdict}`);
};

/** The middle one of some numbers. */
export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Processor time of a process so far, its own and the kernel's on its behalf, in seconds (a tick is 10 ms on every Linux that we run on). */
export const busy = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** Resident memory of a process in MiB. */
export const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/**
 * Loads `url` for some seconds with `inFlight` requests at once; the 99th percentile in ms and requests per second. `conflicts` allows
 * answers of 409 for one request in a hundred.
 */
export const load = async (url, { inFlight = 50, seconds = SECONDS, headers = {}, script, conflicts = false } = {}) => {
  const args = ['-t1', `-c${inFlight}`, `-d${seconds}s`, '--latency'];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  if (script) args.push('-s', script);
  const { stdout } = await run('wrk', [...args, url]);
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  if (bad > (conflicts ? count / 100 : 0) || /Socket errors/.test(stdout)) throw new Error(`${url} did not answer well under load:\n${stdout}`);
  const [, figure, unit] = /\n\s+99%\s+([\d.]+)(us|ms|s)/.exec(stdout);
  return { count, p99: Number(figure) * { us: 0.001, ms: 1, s: 1000 }[unit], perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]) };
};

/** Sends requests at a fixed rate (see crates/panel-bench/src/load.rs); what came of each kind, by name. */
export const openLoop = (plan) =>
  new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, ['load'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
    child.once('error', reject);
    child.once('close', () => {
      try {
        const came = JSON.parse(said);
        for (const [name, { count, failed, conflicts }] of Object.entries(came)) {
          if (failed > 0 || conflicts > count / 50) reject(new Error(`${name} did not go well at a fixed rate: ${said}`));
        }
        resolve(came);
      } catch (error) {
        reject(error);
      }
    });
    child.stdin.end(JSON.stringify({ ids: [], headers: {}, warm_up: 1, seconds: 2 * SECONDS, ...plan }));
  });

/** Starts the reference of a panel; `who` is whose requests it is recorded of: token, cookie and an application. */
export const startReference = async (panel, who) => {
  const port = await freePort();
  const child = spawn(PROGRAM, ['reference', `127.0.0.1:${port}`, panel.url], { env: panel.env, stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(JSON.stringify(who));
  const url = `http://127.0.0.1:${port}`;
  await until('the reference is ready', async () => {
    if (child.exitCode !== null) throw new Error('the reference ended at once');
    return (await fetch(`${url}/api/paas/applications`)).ok;
  });
  return { pid: child.pid, url, stop: () => child.kill('SIGKILL') };
};

/**
 * What a request costs the panel and its reference: in turn, several times, each for some seconds with eight in flight; microseconds of
 * the process's own processor time, the middle of the rounds. Load generator and database are other processes and don't count.
 */
export const processorTime = async (panel, reference, request) => {
  const taken = { panel: [], reference: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, { pid, url }] of [['panel', panel], ['reference', reference]]) {
      const before = busy(pid);
      const { count } = await load(url + request.path, { inFlight: 8, ...request });
      taken[name].push(((busy(pid) - before) / count) * 1e6);
    }
  }
  return { panel: median(taken.panel), reference: median(taken.reference) };
};
