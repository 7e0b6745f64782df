// "Did you mean": the nearest known names to a mistyped one. Used by every message that refuses a name.
// Distance: optimal string alignment (Levenshtein with swaps of neighbours), case ignored.

/**
 * The candidates nearest to `name`, best first, at most `max`. A candidate counts as near when a third of its letters or
 * fewer differ, or when one of the two begins with the other.
 */
export function nearest(name: string, candidates: Iterable<string>, max = 3): string[] {
  const wanted = name.toLowerCase();
  const scored: { candidate: string; distance: number }[] = [];
  for (const candidate of new Set(candidates)) {
    const other = candidate.toLowerCase();
    const distance = editDistance(wanted, other);
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, other.length) / 3));
    const prefix = wanted.length >= 2 && (other.startsWith(wanted) || (other.length >= 2 && wanted.startsWith(other)));
    if (distance <= limit || prefix)
      scored.push({ candidate, distance: prefix ? Math.min(distance, limit) : distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return scored.slice(0, max).map((s) => s.candidate);
}

/** `Did you mean "t2m"?` (or `Did you mean "t2m" or "d2m"?`), and "" when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const found = nearest(name, candidates).map((n) => `"${n}"`);
  if (found.length === 0) return "";
  const last = found.pop();
  return `Did you mean ${found.length > 0 ? `${found.join(", ")} or ` : ""}${last}?`;
}

function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1);
      next.push(d);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
