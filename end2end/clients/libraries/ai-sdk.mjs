// The MCP client of the AI SDK: a person signs in, or it gets a token in a header.
import { auth, createMCPClient, UnauthorizedError } from '@ai-sdk/mcp';
import { allow } from '../browser.mjs';

const url = process.env.RESOURCE;
const person = { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD };
let information, tokens, verifier, answer, server, state;
const authProvider = {
  redirectUrl: process.env.REDIRECT_URI,
  clientMetadata: {
    client_name: 'AI SDK',
    redirect_uris: [process.env.REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  clientInformation: () => information,
  saveClientInformation: (saved) => void (information = saved),
  isClientInformationDynamicallyRegistered: () => true,
  authorizationServerInformation: () => server,
  saveAuthorizationServerInformation: (saved) => void (server = saved),
  tokens: () => tokens,
  saveTokens: (saved) => void (tokens = saved),
  saveCodeVerifier: (saved) => void (verifier = saved),
  codeVerifier: () => verifier,
  state: () => crypto.randomUUID(),
  saveState: (saved) => void (state = saved),
  storedState: () => state,
  redirectToAuthorization: async (address) => void (answer = new URL(await allow(address.href, person))),
};

async function call(transport) {
  const client = await createMCPClient({ transport: { type: 'http', url, ...transport } });
  const { whoami } = await client.tools();
  console.log('whoami', JSON.stringify(await whoami.execute({}, { toolCallId: '1', messages: [] })));
  await client.close();
}

if (process.argv[2] === 'header') {
  await call({ headers: { Authorization: `Bearer ${process.env.MCP_ACCESS_TOKEN}` } });
} else {
  const refused = await call({ authProvider }).catch((error) => error);
  if (!(refused instanceof UnauthorizedError)) throw refused ?? new Error('it got in without a token');
  await auth(authProvider, {
    serverUrl: url,
    authorizationCode: answer.searchParams.get('code'),
    callbackState: answer.searchParams.get('state'),
    callbackIssuer: answer.searchParams.get('iss'),
  });
  await call({ authProvider });
  const { access_token, refresh_token } = tokens;
  tokens.access_token = `${access_token.slice(0, -4)}AAAA`;
  await call({ authProvider });
  if (tokens.refresh_token === refresh_token) throw new Error('it did not refresh');
}
