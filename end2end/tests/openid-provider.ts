import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export const clientId = 'countersign';

/** An OpenID provider on another site than Countersign, which is at localhost. */
export class OpenIdProvider {
  readonly clientSecret = randomBytes(24).toString('base64url');
  private provider?: Provider;

  private constructor(
    private readonly server: Server,
    readonly issuer: string,
  ) {}

  static async listen(): Promise<OpenIdProvider> {
    const server = createServer((request, response) => {
      provider.answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const provider = new OpenIdProvider(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return provider;
  }

  /** Registers the client. Its redirect URI is known only when Countersign has started. */
  serve(redirectUri: string) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: this.clientSecret,
          redirect_uris: [redirectUri],
          id_token_signed_response_alg: 'ES256',
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      // Most providers put the email address into the ID token, so this one does.
      conformIdTokenClaims: false,
      cookies: { keys: [randomBytes(32).toString('base64url')] },
      features: { devInteractions: { enabled: false } },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: id }),
      }),
      interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'a' }] },
      // The person is not asked what the client may know.
      loadExistingGrant: async (context: any) => {
        const { client, provider, session } = context.oidc;
        const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse) {
    const provider = this.provider!;
    if (!request.url!.startsWith('/interaction/')) return provider.callback()(request, response);
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return response.end(
        `<!doctype html><title>Provider</title><h1>Somebody else’s login</h1>
         <form method="post"><label>Account <input name="account"></label>
         <button name="answer" value="yes">Continue</button> <button name="answer" value="no">Cancel</button></form>`,
      );
    }
    let body = '';
    for await (const part of request) body += part;
    const fields = new URLSearchParams(body);
    const result =
      fields.get('answer') === 'yes'
        ? { login: { accountId: fields.get('account')! } }
        : { error: 'access_denied', error_description: 'Call 555 <b>now</b>' };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
