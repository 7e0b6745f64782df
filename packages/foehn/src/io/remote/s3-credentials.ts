// Who asks an S3 service: keys from the environment or from a profile of the AWS configuration files, or nobody (public buckets).
// Formats: the AWS SDKs' shared "credentials" and "config" files. Not here: single sign-on and roles of machines; export their keys
// (`aws configure export-credentials --format env`).

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";

/** Keys of an S3 account. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What is known of the account. */
export interface S3Account {
  /** Undefined: ask anonymously. */
  readonly keys: S3Keys | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** Where the keys are from, for messages. */
  readonly from: string;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Profile = Readonly<Record<string, string>>;

/**
 * Keys, region and endpoint: of `profile` when given; else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN); else of
 * AWS_PROFILE; else of the profile "default"; else none.
 * @throws UsageError when the profile that was asked for is not there or has no keys
 */
export async function findS3Account(
  options: { readonly profile?: string | undefined; readonly anonymous?: boolean | undefined } = {},
  environment: Environment = process.env,
): Promise<S3Account> {
  const asked = options.profile ?? environment.AWS_PROFILE;
  const [credentials, config] = await Promise.all([
    readProfiles(environment.AWS_SHARED_CREDENTIALS_FILE || join(homedir(), ".aws", "credentials")),
    readProfiles(environment.AWS_CONFIG_FILE || join(homedir(), ".aws", "config")),
  ]);
  const name = asked || "default";
  const profile: Profile | undefined =
    credentials[name] || config[name] ? { ...config[name], ...credentials[name] } : undefined;
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || profile?.region;
  const endpoint =
    environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || environment.S3_ENDPOINT || profile?.endpoint_url;
  const place = { region, endpoint };
  if (options.anonymous) return { ...place, keys: undefined, from: "nobody" };
  if (options.profile === undefined && environment.AWS_ACCESS_KEY_ID && environment.AWS_SECRET_ACCESS_KEY) {
    const keys = {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
      ...(environment.AWS_SESSION_TOKEN ? { sessionToken: environment.AWS_SESSION_TOKEN } : {}),
    };
    return { ...place, keys, from: "AWS_ACCESS_KEY_ID" };
  }
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey } = profile ?? {};
  if (accessKeyId && secretAccessKey) {
    const token = profile?.aws_session_token;
    const keys = { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) };
    return { ...place, keys, from: `the AWS profile "${name}"` };
  }
  if (asked) {
    const names = [...new Set([...Object.keys(credentials), ...Object.keys(config)])];
    throw new UsageError(`the AWS profile "${asked}" ${profile ? "has no keys" : "does not exist"}`, {
      hint: profile
        ? "profiles of single sign-on: run `aws configure export-credentials --format env` and set what it prints"
        : didYouMean(asked, names) || "profiles are sections of ~/.aws/credentials",
    });
  }
  return { ...place, keys: undefined, from: "nobody" };
}

/** Sections of an INI file; `[profile name]` of the config file counts as `name`. Missing file: none. */
async function readProfiles(path: string): Promise<Record<string, Profile>> {
  const text = await readFile(path, "utf8").catch(() => "");
  const profiles: Record<string, Record<string, string>> = Object.create(null); // sections may have any name
  let current: Record<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line);
    if (section?.[1] !== undefined) {
      current = profiles[section[1]] ??= {};
      continue;
    }
    const pair = /^([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (current && pair?.[1] !== undefined && pair[2] !== undefined) current[pair[1].toLowerCase()] = pair[2];
  }
  return profiles;
}
