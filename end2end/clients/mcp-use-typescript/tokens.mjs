// Connects with mcp-use and a given token, as a setting of mcp-use or as a header, and prints the tools and what
// the tool `whoami` answers.
import { MCPClient } from 'mcp-use/client';

const { MCP_SERVER_URL: url, MCP_ACCESS_TOKEN: token } = process.env;
const how = process.argv[2] === 'header' ? { headers: { Authorization: `Bearer ${token}` } } : { authToken: token };
const client = new MCPClient({ mcpServers: { countersign: { url, ...how } } });
const session = await client.createSession('countersign');
console.log((await session.listTools()).map((tool) => tool.name));
console.log((await session.callTool('whoami', {})).content[0].text);
await client.closeAllSessions();
