/** A desktop client that speaks 2026-07-28 with `countersign connect`, by the official SDK. It prints what came back */
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const { command, args, env } = JSON.parse(process.env.CONNECT);
const client = new Client({ name: 'modern', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StdioClientTransport({ command, args, env, stderr: 'inherit' }));
console.log(client.getNegotiatedProtocolVersion());
console.log((await client.callTool({ name: 'whoami' })).content[0].text);
await client.close();
