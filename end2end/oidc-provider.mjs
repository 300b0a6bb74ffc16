// A provider of OpenID Connect, certified and not ours: the package oidc-provider with its own pages to sign in and agree.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

/** Listens first, so that a panel can be told of it; `serve` then tells it of the panel. Whoever signs in is who she says she is. */
export const start = async () => {
  let handle = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handle(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const claims = (id) => ({ sub: id, email: `${id}@acme.example`, email_verified: true, name: 'Grace Hopper' });
  return {
    issuer,
    client: { id: 'panel', secret: 'a secret between the two of them' },
    serve(panel, id) {
      const provider = new Provider(issuer, {
        clients: [{ client_id: this.client.id, client_secret: this.client.secret, redirect_uris: [`${panel}/auth/oidc/${id}/callback`] }],
        claims: { email: ['email', 'email_verified'], profile: ['name'] },
        cookies: { keys: ['only for this test'] },
        findAccount: (_context, id) => ({ accountId: id, claims: () => claims(id) }),
        pkce: { required: () => true },
      });
      handle = provider.callback();
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
};
