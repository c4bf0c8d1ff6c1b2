// The peer: npm oidc-provider, set up to answer the request that Countersign answers with a token
// of the same kind. Usage: node oidc-provider.js PORT CLIENTS.json
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, clientsFile] = process.argv.slice(2);
const clients = JSON.parse(readFileSync(clientsFile, 'utf8'));
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(`http://localhost:${port}`, {
  // A client of client_secret_basic is accepted with client_secret_post as well.
  clients: clients.map(({ client_id, client_secret, jwk }) => ({
    client_id,
    ...(jwk
      ? { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [jwk] } }
      : { client_secret, token_endpoint_auth_method: 'client_secret_basic' }),
    grant_types: ['client_credentials'],
    id_token_signed_response_alg: 'ES256', // must name a key it has, though it issues none here
    redirect_uris: [],
    response_types: [],
  })),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] },
  scopes: ['mcp:read'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'mcp:read',
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
