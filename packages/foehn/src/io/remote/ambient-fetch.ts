// The fetch that this machine needs: Node's own, or one that goes through the proxy of HTTPS_PROXY and HTTP_PROXY (NO_PROXY excepted), which
// Node's own ignores before version 24. Computing centres often have no other way out. The proxy client is loaded only then.

let proxied: Promise<typeof globalThis.fetch> | undefined;

/** A fetch that honours the proxy variables of the environment. */
export function ambientFetch(): Promise<typeof globalThis.fetch> {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  if (!(HTTPS_PROXY || https_proxy || HTTP_PROXY || http_proxy)) return Promise.resolve(globalThis.fetch);
  proxied ??= import("undici").then(({ EnvHttpProxyAgent, fetch }) => {
    const dispatcher = new EnvHttpProxyAgent();
    // The same interface, of another copy of the same library than Node's.
    const through = (input: string | URL, init: object = {}) =>
      isThisMachine(new URL(input)) ? globalThis.fetch(input, init) : fetch(input, { ...init, dispatcher });
    return through as unknown as typeof globalThis.fetch;
  });
  return proxied;
}

/** No proxy leads back to where it was asked from. */
function isThisMachine({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
