// Anonymous first. Most models are public, and a token that is old or of somebody else must not close them; so it is sent when the server
// asks for it, and from then on. Not here: where tokens come from (each store).

import { ambientFetch } from "../../io/remote/ambient-fetch.js";

/** Options of `credentialFetch`. */
export interface CredentialFetchOptions {
  /** Instead of the global fetch. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** The server that may see the credential. */
  readonly origin: string;
  /** The Authorization header; undefined when there is no credential. */
  authorization(): Promise<string | undefined>;
  /** Statuses that may mean "who are you?". Default 401 and 403. */
  readonly statuses?: readonly number[];
}

/** A fetch that sends a credential only to `origin` and only once it was asked for. */
export function credentialFetch(options: CredentialFetchOptions): typeof globalThis.fetch {
  const { origin, statuses = [401, 403] } = options;
  let needed = false;
  return async (input, init = {}) => {
    const plain = options.fetch ?? (await ambientFetch());
    const url = input instanceof Request ? input.url : String(input);
    if (new URL(url).origin !== origin) return plain(url, init);
    const withCredential = async (): Promise<RequestInit | undefined> => {
      const authorization = await options.authorization();
      if (authorization === undefined) return undefined;
      return { ...init, headers: { ...(init.headers as Record<string, string>), authorization } };
    };
    if (needed) return plain(url, (await withCredential()) ?? init);
    const first = await plain(url, init);
    if (!statuses.includes(first.status)) return first;
    const again = await withCredential();
    if (again === undefined) return first;
    const second = await plain(url, again);
    // A redirect to the file is a yes, too.
    if (second.status < 400) {
      needed = true;
      await first.body?.cancel();
      return second;
    }
    // Of two refusals the one of the known user says more, unless it says only that the token is no good.
    const [kept, dropped] = second.status === 401 ? [first, second] : [second, first];
    await dropped.body?.cancel();
    return kept;
  };
}
