// How a measurement is told, and how the load generator is read.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Prints one measurement; `most` is the largest value that is good, without it the line is a reference. */
export const bench = (name, value, unit, { most } = {}) => {
  const shown = Number.isInteger(value) ? value : value.toFixed(value < 10 ? 2 : 1);
  const verdict = most === undefined || value <= most ? 'ok' : 'short';
  console.log(`BENCH ${name} ${shown} ${unit} ${most === undefined ? '-' : `≤${most}`} ${verdict}`);
};

/** The middle one of some numbers. */
export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Loads `url` for some seconds with `inFlight` requests at once; the 99th percentile in ms and requests per second. */
export const load = async (url, { inFlight = 50, seconds = 10, headers = {} } = {}) => {
  const args = ['-t1', `-c${inFlight}`, `-d${seconds}s`, '--latency'];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  const { stdout } = await run('wrk', [...args, url]);
  if (/Non-2xx or 3xx responses|Socket errors/.test(stdout)) throw new Error(`${url} did not answer well under load:\n${stdout}`);
  const [, figure, unit] = /\n\s+99%\s+([\d.]+)(us|ms|s)/.exec(stdout);
  const p99 = Number(figure) * { us: 0.001, ms: 1, s: 1000 }[unit];
  return { p99, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]) };
};
