// The calls of both TypeScript hosts, and their verdict.

const ADA = { linkedin_url: "https://www.linkedin.com/in/ada-okafor-example", type: "work" };
const SLOW = { linkedin_url: "linkedin.com/in/sandbox-slow-60", type: "work", wait_seconds: 0 };

export async function verdict(client, call) {
  const late = [];
  const progress = [];
  client.onerror = (error) => {
    if (error.message.includes("progress notification for an unknown token")) late.push(error.message);
  };
  const listed = await client.listTools();
  const found = await call("request_email_enrichment", ADA);
  const refused = await call("get_enrichment", { id: "0".repeat(24) });
  const slow = (await call("request_email_enrichment", SLOW)).structuredContent;
  const ids = [slow.id];
  await cancelledWait(call, ids, progress);
  const onprogress = (told) => progress.push([told.progress, told.total]);
  const again = await call("wait_for_enrichment", { ids, timeout_seconds: 10 }, { onprogress });
  return {
    tools: listed.tools.map((tool) => tool.name),
    text: JSON.parse(found.content[0].text),
    structured: found.structuredContent,
    refused: [refused.isError, refused._meta.error.code],
    unknown_tool: await call("no_such_tool", {}).then(() => null, (error) => error.code),
    progress,
    waited_again: again.structuredContent,
    late,
  };
}

// Wait until the first progress, then cancel: the SDK notifies the server.
async function cancelledWait(call, ids, progress) {
  const leaving = new AbortController();
  const onprogress = (told) => {
    progress.push([told.progress, told.total]);
    leaving.abort("changed my mind");
  };
  const options = { onprogress, signal: leaving.signal };
  const ended = await call("wait_for_enrichment", { ids, timeout_seconds: 45 }, options).then(
    () => "answered",
    () => "cancelled",
  );
  if (ended !== "cancelled") throw new Error("the cancelled call was answered");
}
