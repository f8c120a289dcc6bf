// The TypeScript SDK's low-level server over its own transport; run in a folder that has the package.
import { Server } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

const BALANCE = { balance: 250, spent_today: 0, budget_left: null, next_step: null };
const TOOL = { name: "get_credits", inputSchema: { type: "object" } };

serveStdio(() => {
  const server = new Server({ name: "typescript", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", async () => ({ tools: [TOOL] }));
  server.setRequestHandler("tools/call", async () => ({
    content: [{ type: "text", text: JSON.stringify(BALANCE) }],
    structuredContent: BALANCE,
  }));
  return server;
});
