// Lets a person sign in with an official SDK, version 1 or 2; calls `whoami` before and after a refresh.
import { allow } from '../browser.mjs';

const [line, registered] = process.argv.slice(2);
const sdk =
  line === '1'
    ? {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
      }
    : await import('@modelcontextprotocol/client');

const person = { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD };
const url = new URL(process.env.MCP_SERVER_URL);
let information = registered ? JSON.parse(registered) : undefined;
let tokens, verifier, answer;
const authProvider = {
  redirectUrl: 'http://localhost:3031/callback',
  clientMetadata: {
    client_name: 'TypeScript SDK',
    redirect_uris: ['http://localhost:3031/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  state: () => 'a state',
  clientInformation: () => information,
  saveClientInformation: (saved) => void (information = saved),
  tokens: () => tokens,
  saveTokens: (saved) => void (tokens = saved),
  saveCodeVerifier: (saved) => void (verifier = saved),
  codeVerifier: () => verifier,
  redirectToAuthorization: async (address) => void (answer = new URL(await allow(address.href, person))),
};

async function call() {
  const client = new sdk.Client({ name: 'interactive', version: '1.0.0' });
  const transport = new sdk.StreamableHTTPClientTransport(url, { authProvider });
  await client.connect(transport);
  console.log((await client.listTools()).tools.map((tool) => tool.name));
  console.log((await client.callTool({ name: 'whoami' })).content[0].text);
  await client.close();
}

// The first attempt sends the person to sign in. They come back with a code, which is redeemed for tokens.
const first = new sdk.StreamableHTTPClientTransport(url, { authProvider });
const refused = await new sdk.Client({ name: 'interactive', version: '1.0.0' }).connect(first).catch((error) => error);
if (!(refused instanceof sdk.UnauthorizedError)) throw refused ?? new Error('it got in without a token');
if (line === '1') await first.finishAuth(answer.searchParams.get('code'));
else await first.finishAuth(answer.searchParams);
await call();

const { access_token, refresh_token } = tokens;
tokens.access_token = `${access_token.slice(0, -4)}AAAA`;
await call();
if (tokens.refresh_token === refresh_token) throw new Error('it did not refresh');

// Two calls at once find the token refused, and both refresh. Nobody is asked to sign in again.
answer = undefined;
tokens.access_token = `${access_token.slice(0, -4)}AAAA`;
await Promise.all([call(), call()]);
if (answer) throw new Error('it signed the person out');
