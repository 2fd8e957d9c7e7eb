/** Capabilities that are added and dropped, as the client sends them (docker/cli opts/capabilities.go): one name each, what is added is not dropped. */

const ALL = "ALL";
const RESET = "RESET";

export function effectiveCapabilities(
  add: readonly string[],
  drop: readonly string[],
): readonly [add: readonly string[], drop: readonly string[]] {
  const added = normalized(add);
  const dropped = normalized(drop);
  // "ALL" says it all, but does not undo what stands on the other side by name.
  if (added.has(ALL)) return [[ALL], sorted(new Set([...dropped].filter((name) => name !== ALL || !added.has(ALL))))];
  const left = new Set([...dropped].filter((name) => !added.has(name)));
  return [sorted(added), left.has(ALL) ? [ALL] : sorted(left)];
}

function normalized(names: readonly string[]): Set<string> {
  const result = new Set<string>();
  for (const name of names) {
    const upper = name.trim().toUpperCase();
    result.add(upper === ALL || upper === RESET || upper.startsWith("CAP_") ? upper : `CAP_${upper}`);
  }
  return result;
}

function sorted(names: ReadonlySet<string>): string[] {
  return [...names].sort();
}
