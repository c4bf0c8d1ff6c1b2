import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const client = new Client({ name: 'my-client', version: '1.0.0' });
await client.connect(
  new StreamableHTTPClientTransport(new URL(process.env.MCP_SERVER_URL), {
    authProvider: new PrivateKeyJwtProvider({
      clientId: process.env.MCP_CLIENT_ID,
      privateKey: createPrivateKey(readFileSync(process.env.MCP_PRIVATE_KEY_FILE)).export({ format: 'jwk' }),
      algorithm: process.env.MCP_KEY_ALGORITHM,
      expectedIssuer: new URL(process.env.MCP_TOKEN_URL).origin,
    }),
  }),
);
console.log((await client.listTools()).tools.map((tool) => tool.name));
console.log((await client.callTool({ name: 'whoami' })).content[0].text);
await client.close();
