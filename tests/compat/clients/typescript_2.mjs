// A host on the TypeScript SDK 2.x: `typescript_2.mjs SERVER [auto]` prints its verdict as JSON.
// SERVER is JSON: a `command` with its `env`, or a `url`. With `auto` it uses the newest version
// that the server has; without it, the default of the SDK.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

import { verdict } from "./typescript.mjs";

const [, , given, mode] = process.argv;
const server = JSON.parse(given);
const client = new Client(
  { name: "compat", version: "1" },
  mode ? { versionNegotiation: { mode } } : {},
);
const transport = server.url
  ? new StreamableHTTPClientTransport(new URL(server.url))
  : new StdioClientTransport({ command: server.command[0], args: server.command.slice(1), env: server.env });
await client.connect(transport);
const call = (name, args, options) => client.callTool({ name, arguments: args }, options);
const protocol = client.getNegotiatedProtocolVersion();
console.log(JSON.stringify({ protocol, ...(await verdict(client, call)) }));
await client.close();
