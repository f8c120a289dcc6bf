// A chat on the reference implementation of MCP Apps; `tests/support/app_host.py` starts it.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const frame = document.querySelector("iframe");
const app = frame.contentWindow;
window.heard = [];
addEventListener("message", ({ source, data }) => source === app && heard.push(data));

window.connect = async ({ capabilities, context }) => {
  const bridge = new AppBridge(null, { name: "chat", version: "1" }, capabilities, { hostContext: context });
  bridge.oncalltool = (params) => callTool(params);
  bridge.ondownloadfile = async () => ({});
  bridge.onupdatemodelcontext = async () => ({});
  bridge.onrequestdisplaymode = async ({ mode }) => ({ mode });
  bridge.addEventListener("sizechange", ({ height }) => (frame.style.height = `${height}px`));
  window.sendInput = (given) => bridge.sendToolInput({ arguments: given });
  window.sendResult = (result) => bridge.sendToolResult(result);
  window.sendContext = (changed) => bridge.setHostContext({ ...context, ...changed });
  window.sendTeardown = () => bridge.teardownResource({});
  await bridge.connect(new PostMessageTransport(app, app));
  frame.src = frame.dataset.src;
};
