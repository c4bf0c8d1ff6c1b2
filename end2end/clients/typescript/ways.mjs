// Connects in one way with an official SDK, version 1 or 2, and prints the tools and what `whoami` answers.
import { readFileSync } from 'node:fs';

const [line, way] = process.argv.slice(2);
const sdk =
  line === '1'
    ? {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth-extensions.js')),
      }
    : await import('@modelcontextprotocol/client');

const { MCP_CLIENT_ID: clientId, MCP_CLIENT_SECRET: clientSecret, ASSERTION: assertion } = process.env;
const expectedIssuer = new URL(process.env.MCP_TOKEN_URL).origin;
const key = () => readFileSync(process.env.MCP_PRIVATE_KEY_FILE, 'utf8');
const secret = () => new sdk.ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer });
const signed = (algorithm, privateKey = key()) =>
  new sdk.PrivateKeyJwtProvider({ clientId, privateKey, algorithm, expectedIssuer });

const ways = {
  secret,
  'secret, negotiated': secret,
  'key RS256': () => signed('RS256'),
  'key ES256': () => signed('ES256'),
  'key ES256, negotiated': () => signed('ES256'),
  'key EdDSA, as JWK': () => signed('EdDSA', JSON.parse(key())),
  'prepared assertion': () =>
    new sdk.StaticPrivateKeyJwtProvider({ clientId, jwtBearerAssertion: assertion, expectedIssuer }),
};

const options = way.endsWith('negotiated') ? { versionNegotiation: { mode: 'auto' } } : undefined;
const client = new sdk.Client({ name: 'ways', version: '1.0.0' }, options);
const authProvider = ways[way]();
await client.connect(
  new sdk.StreamableHTTPClientTransport(new URL(process.env.MCP_SERVER_URL), { authProvider }),
);
console.log((await client.listTools()).tools.map((tool) => tool.name));
console.log((await client.callTool({ name: 'whoami' })).content[0].text);
await client.close();
