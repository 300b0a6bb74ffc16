// A real mail server (aiosmtpd) that keeps what it gets in a Maildir, and a reader of it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from './harness.mjs';

const PYTHON = '/usr/bin/python3';

// The distribution's mail library decodes what is quoted, encoded and folded.
const READ = `
import email, email.policy, json, mailbox, sys
def of(message):
    part = lambda kind: (lambda found: found.get_content() if found else None)(message.get_body((kind,)))
    return {'id': message['message-id'], 'to': message['to'], 'from': message['from'], 'subject': message['subject'],
            'return_path': message['x-mailfrom'], 'text': part('plain'), 'html': part('html')}
box = mailbox.Maildir(sys.argv[1], factory=lambda file: email.message_from_binary_file(file, policy=email.policy.default))
print(json.dumps([of(box[key]) for key in sorted(box.keys())]))
`;

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.once('data', () => (socket.destroy(), resolve(true))));
    socket.on('error', () => resolve(false));
  });

class MailServer {
  #child;

  constructor(folder, port) {
    this.folder = folder;
    this.box = join(folder, 'box');
    this.port = port;
  }

  /** Begins to take mail, on the same port each time. */
  async up() {
    const args = ['-m', 'aiosmtpd', '-n', '-l', `127.0.0.1:${this.port}`, '-c', 'aiosmtpd.handlers.Mailbox', this.box];
    this.#child = spawn(PYTHON, args, { stdio: 'ignore' });
    await until('the mail server answers', () => answers(this.port), { seconds: 20 });
  }

  /** Takes no more mail; what came is kept. */
  async down() {
    if (!this.#child) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    this.#child = undefined;
  }

  /** Everything that came: { id, to, from, subject, text, html }. */
  messages() {
    return JSON.parse(execFileSync(PYTHON, ['-c', READ, this.box], { encoding: 'utf8' }));
  }

  /** The one message to an address whose subject has these words, once it is there. */
  async message(to, words) {
    const find = () => this.messages().find((mail) => mail.to?.includes(to) && mail.subject?.includes(words));
    return until(`a mail to ${to} about ${words}`, find, { seconds: 30, every: 250 });
  }

  async stop() {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A mail server on a port of its own; it is up unless asked otherwise. */
export const start = async ({ up = true } = {}) => {
  const folder = await mkdtemp(join(process.env.SKYPANEL_TEST_DIR ?? tmpdir(), 'mail-'));
  await mkdir(folder, { recursive: true });
  const server = new MailServer(folder, await freePort());
  if (up) await server.up();
  return server;
};
