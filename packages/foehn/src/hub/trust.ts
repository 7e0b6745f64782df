// Trust: a package that brings code runs it only when it lies on this machine or the user vouches for it. Networks of Foehn's own,
// safetensors, ONNX and TorchScript files need no trust, and pickles are never executed.

import { TrustError } from "../core/errors.js";

/** Code that a package would run. */
export interface CodeRequest {
  /** Where the package comes from, for messages. */
  readonly uri: string;
  /** True when the user vouches for it, or it lies on this machine. */
  readonly trusted: boolean;
  /** `entrypoint "models/mine.ts:load"`. */
  readonly what: string;
  /** The file that would run, where it is known. */
  readonly file?: string | undefined;
}

/** @throws TrustError saying what would run and how to allow it */
export function requireTrust({ uri, trusted, what, file }: CodeRequest): void {
  if (trusted) return;
  throw new TrustError(`the package ${uri} brings code, and nobody has vouched for it: ${what}`, {
    where: file,
    hint:
      "look at it first (`foehn package pull` copies a package without running anything), then allow it with --trust, or trust: true in a program\n" +
      "the copy on your own disk counts as trusted; packages without code need no trust",
  });
}
