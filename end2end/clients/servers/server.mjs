// An MCP server of the official SDK behind the dashboard's program for TypeScript servers (verify.mjs).
import { readFileSync } from 'node:fs';
import express from 'express';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const [text, document, port] = process.argv.slice(2);
const { requireToken } = await import(text);

const app = express();
const metadata = JSON.parse(readFileSync(document));
app.get('/.well-known/oauth-protected-resource/mcp', (_, response) => response.json(metadata));
app.post('/mcp', requireToken, express.json(), async (request, response) => {
  const server = new McpServer({ name: 'docs', version: '1.0.0' });
  server.registerTool('whoami', {}, ({ authInfo }) => ({ content: [{ type: 'text', text: authInfo.clientId }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.all('/mcp', requireToken, (_, response) => response.sendStatus(405));
app.listen(Number(port), '127.0.0.1');
