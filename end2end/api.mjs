// The panel's REST API as a script would use it.

export const ADMINISTRATOR = { name: 'Ada Lovelace', email: 'ada@example.com', password: 'correct horse battery staple' };

const unescape = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#x27;', "'");

/** Fills in the only form of a page the way a browser without scripts does, and posts it; gives the response, redirects not followed. */
const postForm = async (url, fields) => {
  const page = await fetch(url);
  const html = await page.text();
  const form = /<form\b[^>]*>[\s\S]*?<\/form>/.exec(html)?.[0];
  if (!form) throw new Error(`no form at ${url} (${page.status}):\n${html.slice(0, 500)}`);
  const body = new URLSearchParams();
  for (const [input] of form.matchAll(/<input\b[^>]*>/g)) {
    const attribute = (name) => unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(input)?.[1] ?? '');
    const name = attribute('name');
    if (name) body.set(name, fields[name] ?? attribute('value'));
  }
  const action = new URL(unescape(/\baction="([^"]*)"/.exec(form)?.[1] ?? url), url);
  const cookie = page.headers
    .getSetCookie()
    .map((c) => c.split(';')[0])
    .join('; ');
  return fetch(action, { method: 'POST', body, redirect: 'manual', headers: { cookie, origin: action.origin } });
};

export class Api {
  constructor(url) {
    this.url = url;
    this.token = undefined;
    this.cookie = undefined;
  }

  /** Follows the one-time link of a new panel, and signs in as the administrator that it makes. */
  static async firstAdministrator(panel) {
    const api = new Api(panel.url);
    const answer = await postForm(await panel.firstLink(), ADMINISTRATOR);
    api.cookie = answer.headers
      .getSetCookie()
      .map((c) => c.split(';')[0])
      .join('; ');
    const { email, password } = ADMINISTRATOR;
    api.token = (await api.call('POST', '/api/auth/login', { email, password })).access_token;
    return api;
  }

  /** One call; gives `data`, or throws what the answer says is wrong. */
  async call(method, path, body) {
    const headers = { accept: 'application/json' };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (body) headers['content-type'] = 'application/json';
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const reply = await answer.json();
    if (!reply.success) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(reply.error)}`);
    return reply.data;
  }

  /** Makes an application from a git repository (`git`, `branch`) or an image, on the organization's first cluster. */
  async createApplication({ name, git, branch = 'main', image, ...settings }) {
    const source = git ? { git: { repository_url: git, branch } } : { image: { reference: image } };
    return this.call('POST', '/api/paas/applications', { name, source, ...settings });
  }

  /** Deploys and, with `wait` (seconds), stays until the deployment has ended. */
  async deploy(id, { wait, ...how } = {}) {
    return this.call('POST', `/api/paas/applications/${id}/deploy${wait ? `?wait=${wait}` : ''}`, how);
  }
}
