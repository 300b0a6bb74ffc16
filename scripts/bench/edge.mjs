// Requests per second of the proxy's processor time, the 99th percentile, and throughput: the edge and three others, in turn.
// `only=edge,haproxy` in the environment measures some of them.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { median } from './bench.mjs';

const [edge, caddy] = process.argv.slice(2);
const SECONDS = Number(process.env.SKY_BENCH_SECONDS ?? 8);
const ROUNDS = Number(process.env.SKY_BENCH_ROUNDS ?? 3);
const CONNECTIONS = 32;
const HOST = 'app.bench.localhost';
const run = promisify(execFile);
const dir = mkdtempSync(join(process.env.SKYPANEL_TEST_DIR ?? tmpdir(), 'edge-'));
const file = (name, text) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

const answers = async (port) => {
  for (let n = 0; n < 200; n += 1) {
    const is = await new Promise((done) => {
      const socket = connect(port, '127.0.0.1', () => (socket.destroy(), done(true)));
      socket.on('error', () => done(false));
    });
    if (is) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on ${port}`);
};

/** A process and all below it. */
const family = (pid) => {
  const below = (id) => readdirSync(`/proc/${id}/task`).flatMap((task) => readFileSync(`/proc/${id}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean));
  return [pid, ...below(pid).flatMap(family)];
};

/** Processor time so far, in seconds (a tick is 10 ms on every Linux that we run on). */
const busy = (pid) =>
  family(pid).reduce((sum, id) => {
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);

/** Resident memory in MiB. */
const resident = (pid) => family(pid).reduce((sum, id) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1]) / 1024, 0);

const started = [];
const start = async (command, args, ports, env = {}) => {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', process.env.SKY_BENCH_LOUD ? 'inherit' : 'ignore'], env: { ...process.env, ...env } });
  started.push(child);
  await Promise.all(ports.map(answers));
  return child;
};
const stop = async (child) => {
  const gone = new Promise((done) => (child.exitCode === null ? child.once('exit', done) : done()));
  child.kill('SIGTERM');
  await Promise.race([gone, sleep(3_000).then(() => child.kill('SIGKILL'))]);
};

const nginxConf = (body, pid) => `user root; worker_processes 1; daemon off; pid ${join(dir, pid)}; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
keepalive_requests 100000000; sendfile on; tcp_nopush on; ${body} }`;

/** The middle of each figure of some measurements. */
const middle = (all) => Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(all.map((one) => one[name]))]));

const repeated = async (measure) => {
  const all = [];
  for (let n = 0; n < ROUNDS; n += 1) all.push(await measure());
  return middle(all);
};

/** Loads by wrk: requests and bytes per second of the proxy's processor time, and the 99th percentile in ms. */
const wrk = async (pid, url, connections = CONNECTIONS) => {
  const before = busy(pid);
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${SECONDS}s`, '--latency', '-H', `Host: ${HOST}`, url], { maxBuffer: 1 << 24 });
  const used = busy(pid) - before;
  if (/Non-2xx or 3xx responses|Socket errors/.test(stdout)) throw new Error(`${url} did not answer well:\n${stdout}`);
  const [, figure, unit] = /\n\s+99%\s+([\d.]+)(us|ms|s)/.exec(stdout);
  const [, requests, size, sizeUnit] = /(\d+) requests in [\d.]+s, ([\d.]+)(KB|MB|GB|TB|B) read/.exec(stdout);
  const bytes = Number(size) * { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 }[sizeUnit];
  return { requests: Number(requests) / used, mib: bytes / 2 ** 20 / used, p99: Number(figure) * { us: 0.001, ms: 1, s: 1000 }[unit] };
};

/** The same by h2load, with as many streams at once as wrk has connections. */
const h2 = async (pid, port) => {
  const log = join(dir, 'h2.log');
  rmSync(log, { force: true });
  const before = busy(pid);
  const args = ['-t1', '-c8', '-m4', `-D${SECONDS}`, `--connect-to=127.0.0.1:${port}`, `--log-file=${log}`, `https://${HOST}:${port}/`];
  const { stdout } = await run('h2load', args, { maxBuffer: 1 << 24 });
  const used = busy(pid) - before;
  const [, done, failed] = /(\d+) succeeded, (\d+) failed/.exec(stdout);
  if (Number(done) === 0 || Number(failed) > 0) throw new Error(`HTTP/2 was not answered well:\n${stdout}`);
  const times = readFileSync(log, 'utf8').trim().split('\n').map((line) => Number(line.split('\t')[2])).sort((a, b) => a - b);
  return { requests: Number(done) / used, p99: times[Math.floor(times.length * 0.99)] / 1000 };
};

/** New TLS connections, each with one request. */
const handshakes = async (pid, port) => {
  const before = busy(pid);
  const { stdout } = await run('wrk', ['-t1', '-c8', `-d${SECONDS}s`, '-H', `Host: ${HOST}`, '-H', 'Connection: close', `https://127.0.0.1:${port}/`]);
  return { requests: Number(/(\d+) requests in/.exec(stdout)[1]) / (busy(pid) - before) };
};

const backendPort = await freePort();
const backend = `127.0.0.1:${backendPort}`;
try {
  execFileSync(edge, ['certificate', dir, HOST]);
  file('both.pem', readFileSync(join(dir, 'cert.pem'), 'utf8') + readFileSync(join(dir, 'key.pem'), 'utf8'));
  writeFileSync(join(dir, 'large'), Buffer.alloc(10 * 2 ** 20, 'x'));
  const answer = 'x'.repeat(60);
  await start('nginx', ['-c', file('backend.conf', nginxConf(`server { listen ${backend}; location / { return 200 "${answer}"; } location = /large { root ${dir}; } }`, 'backend.pid'))], [backendPort]);

  const proxies = {
    edge: async (http, tls) => start(edge, ['serve', `127.0.0.1:${http}`, `127.0.0.1:${tls}`, backend, dir, HOST, '1', '1'], [http, tls]),
    haproxy: async (http, tls) => {
      const conf = `global
 nbthread 2
 maxconn 4096
defaults
 mode http
 timeout connect 3s
 timeout client 60s
 timeout server 60s
 http-reuse always
frontend f
 bind 127.0.0.1:${http}
 bind 127.0.0.1:${tls} ssl crt ${join(dir, 'both.pem')} alpn h2,http/1.1
 option forwardfor
 use_backend b if { hdr(host) -m beg ${HOST} }
backend b
 server s ${backend}
`;
      return start('haproxy', ['-db', '-f', file('haproxy.cfg', conf)], [http, tls]);
    },
    nginx: async (http, tls) => {
      const body = `upstream u { server ${backend}; keepalive 64; keepalive_requests 100000000; } server { listen 127.0.0.1:${http}; listen 127.0.0.1:${tls} ssl http2; server_name ${HOST};
ssl_certificate ${join(dir, 'cert.pem')}; ssl_certificate_key ${join(dir, 'key.pem')}; ssl_protocols TLSv1.2 TLSv1.3;
location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_buffering off; } }`;
      return start('nginx', ['-c', file('nginx.conf', nginxConf(body, 'nginx.pid').replace('worker_processes 1', 'worker_processes 2'))], [http, tls]);
    },
    caddy: async (http, tls) => {
      const conf = `{\n admin off\n auto_https off\n}\nhttp://${HOST}:${http} {\n bind 127.0.0.1\n reverse_proxy ${backend}\n}\nhttps://${HOST}:${tls} {\n bind 127.0.0.1\n tls ${join(dir, 'cert.pem')} ${join(dir, 'key.pem')}\n reverse_proxy ${backend}\n}\n`;
      return start(caddy, ['run', '--config', file('Caddyfile', conf), '--adapter', 'caddyfile'], [http, tls], { GOMAXPROCS: '2', XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir });
    },
  };
  const only = (process.env.only ?? Object.keys(proxies).join(',')).split(',');
  // All run at once, and each round measures one after the other: what else the machine does meets them alike.
  const seen = {};
  const runs = {};
  for (const name of only) {
    const [http, tls] = [await freePort(), await freePort()];
    const { pid } = await proxies[name](http, tls);
    runs[name] = { pid, http, tls };
    await sleep(1_000);
    seen[name] = { idle: resident(pid) };
    await run('wrk', ['-t1', '-c32', '-d1s', '-H', `Host: ${HOST}`, `http://127.0.0.1:${http}/`]);
  }
  const parts = {
    http1: ({ pid, http }) => wrk(pid, `http://127.0.0.1:${http}/`),
    tls: ({ pid, tls }) => wrk(pid, `https://127.0.0.1:${tls}/`),
    http2: ({ pid, tls }) => h2(pid, tls),
    handshakes: ({ pid, tls }) => handshakes(pid, tls),
    large: ({ pid, http }) => wrk(pid, `http://127.0.0.1:${http}/large`, 4),
  };
  for (const [part, measure] of Object.entries(parts)) {
    // wrk names no host in TLS, which Caddy insists on
    const asked = only.filter((name) => name !== 'caddy' || !['tls', 'handshakes'].includes(part));
    const rounds = asked.map(() => []);
    for (let n = 0; n < ROUNDS; n += 1) for (const [at, name] of asked.entries()) rounds[at].push(await measure(runs[name]));
    asked.forEach((name, at) => (seen[name][part] = middle(rounds[at])));
  }
  for (const name of only) seen[name].memory = resident(runs[name].pid);
  await Promise.all(started.slice(1).map(stop));

  const say = (name, value, unit, { most, least } = {}) => {
    if (value === undefined || Number.isNaN(value)) return;
    const shown = value < 10 ? value.toFixed(2) : value < 1000 ? value.toFixed(1) : Math.round(value);
    const limits = [least === undefined ? '' : `≥${Math.round(least)}`, most === undefined ? '' : `≤${most.toFixed(most < 10 ? 2 : 0)}`].join('') || '-';
    const isGood = (least === undefined || value >= least) && (most === undefined || value <= most);
    console.log(`BENCH edge.${name} ${shown} ${unit} ${limits} ${isGood ? 'ok' : 'short'}`);
  };
  const { haproxy, caddy: other } = seen;
  const least = (part) => (haproxy && other?.[part] ? Math.max(3 * other[part].requests, 0.6 * haproxy[part].requests) : haproxy?.[part] && 0.6 * haproxy[part].requests);
  for (const [name, all] of Object.entries(seen)) {
    const own = name === 'edge';
    for (const part of ['http1', 'tls', 'http2']) {
      say(`${part}.${name}.per_processor_second`, all[part]?.requests, 'requests', own ? { least: least(part) } : {});
      say(`${part}.${name}.p99`, all[part]?.p99, 'ms', own && haproxy ? { most: 2 * haproxy[part].p99 } : {});
    }
    say(`handshakes.${name}.per_processor_second`, all.handshakes?.requests, 'handshakes');
    say(`large.${name}.per_processor_second`, all.large.mib, 'MiB');
    say(`memory.idle.${name}`, all.idle, 'MiB', own ? { most: 20 } : {});
    say(`memory.after_load.${name}`, all.memory, 'MiB');
  }

  if (seen.edge) {
    const [http, tls] = [await freePort(), await freePort()];
    const child = await start(edge, ['serve', `127.0.0.1:${http}`, `127.0.0.1:${tls}`, backend, dir, HOST, '10000', '1000'], [http, tls]);
    await answers(http);
    await sleep(2_000);
    say('many.memory.idle', resident(child.pid), 'MiB', { most: 60 });
    const [one, two] = [await repeated(() => wrk(child.pid, `http://127.0.0.1:${http}/`)), await repeated(() => h2(child.pid, tls))];
    say('many.http1.per_processor_second', one.requests, 'requests', { least: 0.9 * seen.edge.http1.requests });
    say('many.http2.per_processor_second', two.requests, 'requests', { least: 0.9 * seen.edge.http2.requests });
    say('many.memory.after_load', resident(child.pid), 'MiB');
    await stop(child);
    const { stdout } = await run(edge, ['change', backend, dir, HOST, '10000', '1000']);
    say('many.change_is_live_after', Number(stdout), 'ms', { most: 1000 });
  }
} finally {
  await Promise.all(started.map(stop));
  rmSync(dir, { recursive: true, force: true });
}
