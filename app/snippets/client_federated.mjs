import { readFileSync } from 'node:fs';
import { Client, StaticPrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

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
