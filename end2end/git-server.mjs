// A real git host for the browser tests: `git http-backend` behind Node's own http server, on a loopback port. Paths under
// /private/ ask for a user name and password (ada, secret). No dependencies.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const CREDENTIAL = 'Basic ' + Buffer.from('ada:secret').toString('base64');

// Nothing of this machine's git configuration counts.
const env = (dir) => ({ PATH: process.env.PATH, HOME: dir, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' });

function git(dir, ...args) {
  const who = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com', GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'ada@example.com' };
  return execFileSync('git', args, { cwd: dir, env: { ...env(dir), ...who }, stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim();
}

/**
 * Starts a host without repositories.
 * @returns {Promise<{ port: number, root: string, url: (path: string) => string, createRepo: (name: string) => object, stop: () => Promise<void> }>}
 */
export async function start(port = 0) {
  const root = mkdtempSync(join(tmpdir(), 'skypanel-git-host-'));
  const server = createServer((request, response) => answer(root, request, response));
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const url = (path) => `http://127.0.0.1:${server.address().port}/${path}`;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(root, { recursive: true, force: true });
  };
  return { port: server.address().port, root, url, stop, createRepo: (name) => createRepo({ root, url }, name) };
}

/** Makes an empty repository on a host. */
export function createRepo(host, name) {
  const bare = join(host.root, name);
  const work = join(host.root, '.work', name);
  for (const dir of [bare, work]) mkdirSync(dir, { recursive: true });
  git(bare, 'init', '--quiet', '--bare', '--initial-branch=main');
  git(work, 'init', '--quiet', '--initial-branch=main');
  git(work, 'remote', 'add', 'origin', bare);
  const repo = { name, bare, work, url: host.url(name) };
  return { ...repo, commit: (files, message, branch) => commit(repo, files, message, branch) };
}

/**
 * Writes files (path → content; null removes) beside those that are there, commits and pushes them.
 * @returns {string} the commit's hash
 */
export function commit(repo, files = {}, message = 'Change', branch = 'main') {
  git(repo.work, 'checkout', '--quiet', git(repo.work, 'branch', '--list', branch) ? '--force' : '-B', branch);
  for (const [path, content] of Object.entries(files)) {
    const file = join(repo.work, path);
    if (content === null) {
      rmSync(file, { recursive: true, force: true });
    } else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
    }
  }
  git(repo.work, 'add', '--all');
  git(repo.work, 'commit', '--quiet', '--allow-empty', '--message', message);
  git(repo.work, 'push', '--quiet', '--force', 'origin', 'HEAD');
  return git(repo.work, 'rev-parse', 'HEAD');
}

// Runs `git http-backend` on a request, by the rules of CGI (RFC 3875).
function answer(root, request, response) {
  const { pathname, search } = new URL(request.url, 'http://host');
  if (pathname.startsWith('/.work') || (pathname.startsWith('/private/') && request.headers.authorization !== CREDENTIAL)) {
    const status = pathname.startsWith('/.work') ? 404 : 401;
    response.writeHead(status, status === 401 ? { 'WWW-Authenticate': 'Basic realm="git"' } : {}).end();
    return;
  }
  const backend = spawn('git', ['-c', 'safe.directory=*', 'http-backend'], {
    env: {
      ...env(root), GIT_HTTP_EXPORT_ALL: '1', GIT_PROJECT_ROOT: root, GIT_PROTOCOL: request.headers['git-protocol'] ?? '',
      PATH_INFO: pathname, QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '', ...(request.headers['content-length'] && { CONTENT_LENGTH: request.headers['content-length'] }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  backend.on('error', () => response.destroy());
  backend.stdin.on('error', () => {}); // it may answer before it has read everything
  response.on('close', () => backend.kill());
  request.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  backend.stdout.on('data', function first(piece) {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    backend.stdout.off('data', first);
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [name, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()];
      if (name.toLowerCase() === 'status') response.statusCode = Number(value.slice(0, 3));
      else response.appendHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  });
}
