// The TypeScript SDK's low-level server over its own transports, `[http PORT]`; run in a folder that has the packages.
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { Server, createMcpHandler } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

const BALANCE = { balance: 250, spent_today: 0, budget_left: null, next_step: null };
const TOOL = { name: "get_credits", inputSchema: { type: "object" } };

const made = () => {
  const server = new Server({ name: "typescript", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", async () => ({ tools: [TOOL] }));
  server.setRequestHandler("tools/call", async () => ({
    content: [{ type: "text", text: JSON.stringify(BALANCE) }],
    structuredContent: BALANCE,
  }));
  return server;
};

const [how, port] = process.argv.slice(2);
if (how === "http") createServer(toNodeHandler(createMcpHandler(made))).listen(Number(port), "127.0.0.1");
else serveStdio(made);
