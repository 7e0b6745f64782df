// Paths that lead into an archive of a package: `fcn.zip/fcn/weights.tar`. A zip or tar counts as a folder when something follows.

/** True for the name of an archive whose members can be addressed. `weights.tar` of old checkpoints is one, too, but only with a path. */
export function isArchiveName(name: string): boolean {
  return /.\.(zip|tar|tar\.gz|tgz)$/i.test(name);
}

/** The archive and the path in it; undefined when the path leads into none. */
export function splitArchivePath(path: string): { readonly archive: string; readonly member: string } | undefined {
  const names = path.split("/");
  const at = names.findIndex((name, i) => i < names.length - 1 && isArchiveName(name));
  if (at < 0) return undefined;
  return { archive: names.slice(0, at + 1).join("/"), member: names.slice(at + 1).join("/") };
}
