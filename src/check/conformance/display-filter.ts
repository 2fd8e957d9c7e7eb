/**
 * The part of Wireshark's display filter language that cases of conformance use: names of protocols with `not`, `and`, `or` and
 * parentheses (`!igmp && !stp`).
 */

/** Is a frame with these layers kept? */
export type LayerFilter = (layers: readonly string[]) => boolean;

/** The predicate, or what of `text` is not understood. */
export function parseFilter(text: string): LayerFilter | { readonly problem: string } {
  const tokens = text.match(/\(|\)|&&|\|\||!|[^\s()!&|]+/g) ?? [];
  let next = 0;
  let problem: string | undefined;

  function either(): LayerFilter {
    let left = both();
    while (tokens[next] === "or" || tokens[next] === "||") {
      next++;
      const one = left;
      const other = both();
      left = (layers) => one(layers) || other(layers);
    }
    return left;
  }
  function both(): LayerFilter {
    let left = single();
    while (tokens[next] === "and" || tokens[next] === "&&") {
      next++;
      const one = left;
      const other = single();
      left = (layers) => one(layers) && other(layers);
    }
    return left;
  }
  function single(): LayerFilter {
    const token = tokens[next++];
    if (token === "not" || token === "!") {
      const inner = single();
      return (layers) => !inner(layers);
    }
    if (token === "(") {
      const inner = either();
      if (tokens[next++] !== ")") problem ??= "a parenthesis is not closed";
      return inner;
    }
    if (token === undefined || !/^[a-z0-9_]+$/.test(token)) problem ??= `${token ?? "the end"} is not a protocol`;
    return (layers) => layers.includes(token!);
  }

  const filter = either();
  if (next < tokens.length) problem ??= `${tokens[next]} is not expected`;
  return problem === undefined ? filter : { problem: `display filter "${text}": ${problem}` };
}
