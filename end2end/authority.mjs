// A real certificate authority (pebble) and the name server that it and the panel ask (pebble-challtestsrv), for as long as a test runs.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, until } from './harness.mjs';

const run = promisify(execFile);

const listens = (port) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy()));
    socket.on('error', reject);
  });

/** The certificate that the authority's own address is trusted by, and its root. */
const ownCertificate = async (folder) => {
  const key = (name) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, `${name}.key`)];
  const openssl = (...args) => run('openssl', args);
  await openssl('req', '-x509', ...key('ca'), '-out', join(folder, 'ca.pem'), '-days', '2', '-subj', '/CN=The test’s own');
  await openssl('req', ...key('leaf'), '-out', join(folder, 'leaf.csr'), '-subj', '/CN=authority');
  const names = join(folder, 'names');
  await writeFile(names, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signed = ['-CA', join(folder, 'ca.pem'), '-CAkey', join(folder, 'ca.key'), '-CAcreateserial', '-extfile', names];
  await openssl('x509', '-req', '-in', join(folder, 'leaf.csr'), ...signed, '-days', '2', '-out', join(folder, 'leaf.pem'));
};

/** What an https address says, trusted by one root alone. */
const read = (url, ca) =>
  new Promise((resolve, reject) => {
    const asked = get(url, { ca }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => {
        text += part;
      });
      answer.on('end', () => resolve(text));
    });
    asked.on('error', reject);
  });

/** Starts both. The authority visits domains at the two ports. */
export const start = async ({ httpPort, tlsPort }) => {
  const folder = await mkdtemp(join(process.env.SKYPANEL_TEST_DIR ?? tmpdir(), 'authority-'));
  const [listen, roots, management, names] = [await freePort(), await freePort(), await freePort(), await freePort()];
  await ownCertificate(folder);
  const config = {
    listenAddress: `127.0.0.1:${listen}`,
    managementListenAddress: `127.0.0.1:${roots}`,
    httpPort,
    tlsPort,
    certificate: join(folder, 'leaf.pem'),
    privateKey: join(folder, 'leaf.key'),
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  };
  await writeFile(join(folder, 'pebble.json'), JSON.stringify({ pebble: config }));
  const children = [];
  let output = '';
  const begin = (command, args, env = {}) => {
    const child = spawn(command, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => {
      output += `\n${command}: ${error}\n`;
    });
    children.push(child);
  };
  const none = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '', '-defaultIPv4', ''];
  begin('pebble-challtestsrv', [...none, '-dns01', `127.0.0.1:${names}`, '-management', `127.0.0.1:${management}`]);
  begin('pebble', ['-config', join(folder, 'pebble.json'), '-dnsserver', `127.0.0.1:${names}`], { PEBBLE_VA_NOSLEEP: '1' });
  const stop = async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  const all = [listen, roots, management].map((port) => until(`something listens on ${port}`, async () => (await listens(port), true), { seconds: 20 }));
  await Promise.all(all).catch(async (error) => {
    await stop();
    throw new Error(`${error.message}:\n${output}`, { cause: error });
  });
  const rootFile = join(folder, 'root.pem');
  await writeFile(rootFile, await read(`https://127.0.0.1:${roots}/roots/0`, await readFile(join(folder, 'ca.pem'))));

  const manage = async (what, body) => {
    const answer = await fetch(`http://127.0.0.1:${management}/${what}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  };
  return {
    /** The root of what it issues, in PEM. */
    rootFile,
    /** What a panel is told of it. */
    env: {
      SKYPANEL_ACME__DIRECTORY: `https://127.0.0.1:${listen}/dir`,
      SKYPANEL_ACME__CA_FILE: join(folder, 'ca.pem'),
      SKYPANEL_ACME__TRUSTED_ROOTS: rootFile,
      SKYPANEL_ACME__SETTLE_SECONDS: '1',
      SKYPANEL_DOMAINS__NAME_SERVERS: `["127.0.0.1:${names}"]`,
      SKYPANEL_DOMAINS__HTTP_PORT: String(httpPort),
      SKYPANEL_EDGE__PUBLIC_ADDRESSES: '["127.0.0.1"]',
    },
    /** Sets a text beside others. */
    txt: (name, value) => manage('set-txt', { host: `${name}.`, value }),
    /** Sets the one address of a name. */
    address: async (name, ip) => {
      await manage('clear-a', { host: `${name}.` });
      await manage('add-a', { host: `${name}.`, addresses: [ip] });
    },
    stop,
    tail: () => output.split('\n').slice(-20).join('\n'),
  };
};

/** A home for a browser that trusts one root beside its own. */
export const homeThatTrusts = async (rootFile) => {
  const home = await mkdtemp(join(process.env.SKYPANEL_TEST_DIR ?? tmpdir(), 'home-'));
  const database = `sql:${join(home, '.pki', 'nssdb')}`;
  await run('mkdir', ['-p', join(home, '.pki', 'nssdb')]);
  await run('certutil', ['-d', database, '-N', '--empty-password']);
  await run('certutil', ['-d', database, '-A', '-t', 'C,,', '-n', 'the authority', '-i', rootFile]);
  return home;
};
