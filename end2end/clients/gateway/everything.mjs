/**
 * Uses the server that tests clients (`server-everything`) with the official SDK: progress, sampling, elicitation. It
 * prints what came back. The first argument says how: `http` with the secret, or `command` with `countersign connect`.
 */
import { createInterface } from 'node:readline';
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const { MCP_SERVER_URL, MCP_CLIENT_ID, MCP_CLIENT_SECRET, CONNECT } = process.env;

function transport() {
  if (process.argv[2] === 'http')
    return new StreamableHTTPClientTransport(new URL(MCP_SERVER_URL), {
      authProvider: new ClientCredentialsProvider({ clientId: MCP_CLIENT_ID, clientSecret: MCP_CLIENT_SECRET }),
    });
  // As a desktop client starts it: what its configuration says, and nothing else.
  const { command, args, env } = JSON.parse(CONNECT);
  return new StdioClientTransport({ command, args, env, stderr: 'inherit' });
}

const client = new Client(
  { name: 'everything', version: '1.0.0' },
  { capabilities: { sampling: {}, elicitation: {}, roots: {} } },
);
client.setRequestHandler(CreateMessageRequestSchema, () => ({
  model: 'none', role: 'assistant', content: { type: 'text', text: 'sampled by the client' },
}));
client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'told by the person' } }));
await client.connect(transport());

const call = async (name, args, options) => {
  const { content } = await client.callTool({ name, arguments: args }, undefined, options);
  return content.map(({ text }) => text).join(' ');
};
console.log(await call('echo', { message: 'hello' }));
let steps = 0;
const onprogress = () => steps++;
console.log(await call('trigger-long-running-operation', { duration: 2, steps: 4 }, { onprogress }));
console.log(`${steps} steps`);
console.log(await call('trigger-sampling-request', { prompt: 'Say something.', maxTokens: 10 }));
console.log(await call('trigger-elicitation-request', {}));
console.log('ready');

// Calls until its input ends, at a pace that leaves the processor to the other tests.
let open = true;
createInterface({ input: process.stdin }).once('close', () => (open = false));
let calls = 0;
while (open) {
  await call('echo', { message: `${calls}` });
  calls++;
  await new Promise((done) => setTimeout(done, 50));
}
console.log(`${calls} calls`);
await client.close();
