// A host on the TypeScript SDK 1.x: `typescript_1.mjs SERVER` prints its verdict as JSON.
// SERVER is JSON: a `command` with its `env`, or a `url`.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { verdict } from "./typescript.mjs";

const server = JSON.parse(process.argv[2]);
const client = new Client({ name: "compat", version: "1" });
const transport = server.url
  ? new StreamableHTTPClientTransport(new URL(server.url))
  : new StdioClientTransport({ command: server.command[0], args: server.command.slice(1), env: server.env });
// The SDK shows the version to its user over HTTP only; it passes it to both transports.
let protocol = null;
const told = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (version) => { protocol = version; told?.(version); };
await client.connect(transport);
const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
console.log(JSON.stringify({ protocol, ...(await verdict(client, call)) }));
await client.close();
