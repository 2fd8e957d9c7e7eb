/** How deep a YAML text is nested, from its tokens: found without recursion, before the parser recurses over them. */
import type { CST } from "yaml";

/** The offset of the first collection nested deeper than `most`; undefined when there is none. */
export function nestingDepth(root: CST.Token, most: number): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > most) return token.offset;
    if (token.type === "document" && token.value !== undefined) open.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    for (const item of token.items)
      for (const below of [item.key, item.value])
        if (below !== undefined && below !== null) open.push({ token: below, depth: depth + 1 });
  }
  return undefined;
}
