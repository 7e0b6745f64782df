// A URL as it may be shown: in messages, logs and the cache's records. Passwords and signatures never leave the process by that way.

const secretParameter = /sig|token|key|credential|policy|secret|passw|auth|code/i;

/** The URL without user name, password, and with the values of parameters that look like secrets replaced by "…". */
export function publicUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return String(url).replace(/\/\/[^/@]*@/, "//");
  }
  const query = [...parsed.searchParams].map(([name, value]) =>
    secretParameter.test(name) ? `${name}=…` : `${name}=${encodeURIComponent(value)}`,
  );
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}
