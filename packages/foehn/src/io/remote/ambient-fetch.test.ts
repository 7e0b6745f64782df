import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { fetchWithRetry } from "./http.js";
import { startServer } from "./server.test-support.js";

afterEach(() => vi.unstubAllEnvs());

it("goes through the proxy of the environment, and streams", async () => {
  const target = await startServer({ "/a": "through" });
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    // Plain forwarding, for clients that do not open a tunnel.
    asked.push(request.url ?? "");
    void fetch(`${target.url}/a`).then(async (answer) => response.end(Buffer.from(await answer.arrayBuffer())));
  });
  proxy.on("connect", (request: IncomingMessage, client: Socket) => {
    asked.push(request.url ?? "");
    const far = connect(Number(new URL(target.url).port), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      far.pipe(client);
      client.pipe(far);
    });
    far.on("error", () => client.destroy());
    client.on("error", () => far.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  for (const name of ["NO_PROXY", "no_proxy", "http_proxy", "HTTPS_PROXY", "https_proxy"]) vi.stubEnv(name, undefined);
  try {
    const once = { timeoutMs: 3000, retries: 0 };
    expect(await (await fetchWithRetry("http://far.invalid/a", once)).text()).toBe("through");
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain("far.invalid");
    expect(await (await fetchWithRetry(`${target.url}/a`, once)).text()).toBe("through");
    expect(asked).toHaveLength(1); // this machine is reached directly
  } finally {
    proxy.closeAllConnections();
    proxy.close();
    await target.close();
  }
});
