// A chat that shows the app in a frame. `tests/support/app_host.py` starts it.
const frame = document.querySelector("iframe");
const post = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
window.heard = [];

window.connect = ({ capabilities, context }) => {
  const answers = {
    "ui/initialize": () => ({
      protocolVersion: "2026-01-26",
      hostInfo: { name: "chat", version: "1" },
      hostCapabilities: capabilities,
      hostContext: context,
    }),
    "tools/call": callTool,
    "ui/download-file": () => ({}),
    "ui/update-model-context": () => ({}),
    "ui/request-display-mode": ({ mode }) => ({ mode }),
  };
  addEventListener("message", async ({ source, data }) => {
    if (source !== frame.contentWindow) return;
    heard.push(data);
    if (data.method === "ui/notifications/size-changed") frame.style.height = `${data.params.height}px`;
    if (data.id === undefined || !data.method) return;
    try {
      post({ id: data.id, result: await answers[data.method](data.params) });
    } catch {
      post({ id: data.id, error: { code: -32000, message: "refused" } });
    }
  });
  frame.src = frame.dataset.src; // the app speaks first
};
window.sendInput = (given) => post({ method: "ui/notifications/tool-input", params: { arguments: given } });
window.sendResult = (result) => post({ method: "ui/notifications/tool-result", params: result });
window.sendContext = (context) => post({ method: "ui/notifications/host-context-changed", params: context });
window.sendCancelled = () => post({ method: "ui/notifications/tool-cancelled", params: {} });
window.sendTeardown = () => post({ id: 1, method: "ui/resource-teardown", params: {} });
