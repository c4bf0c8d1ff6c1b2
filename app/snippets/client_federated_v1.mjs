import { readFileSync } from 'node:fs';
import { StaticPrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const client = new Client({ name: 'my-client', version: '1.0.0' });
await client.connect(
  new StreamableHTTPClientTransport(new URL(process.env.MCP_SERVER_URL), {
    authProvider: new StaticPrivateKeyJwtProvider({
      clientId: process.env.MCP_CLIENT_ID,
      jwtBearerAssertion: readFileSync(process.env.MCP_IDENTITY_TOKEN_FILE, 'utf8').trim(),
      expectedIssuer: new URL(process.env.MCP_TOKEN_URL).origin,
    }),
  }),
);
console.log((await client.listTools()).tools.map((tool) => tool.name));
console.log((await client.callTool({ name: 'whoami' })).content[0].text);
await client.close();
