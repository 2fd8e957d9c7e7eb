/** Names and labels of what a stack has made (docker/cli compose/convert): a label says which stack an object belongs to. */
import type { Value } from "./value.ts";

export const STACK_LABEL = "com.docker.stack.namespace";
/** Of services: the image as the stack file has it, before the manager or a registry made it more precise. */
export const IMAGE_LABEL = "com.docker.stack.image";

/** `web` of the stack `shop` is `shop_web`. */
export function scopedName(stack: string, name: string): string {
  return `${stack}_${name}`;
}

/** In the order of their keys, the stack's among them. */
export function labelsOf(
  stack: string,
  own: Value | undefined,
  more: Iterable<readonly [string, string]> = [],
): Map<string, string> {
  const labels = new Map([...textMap(own), [STACK_LABEL, stack] as const, ...more]);
  return new Map([...labels].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** A dictionary of texts. */
export function textMap(value: Value | undefined): Map<string, string> {
  const result = new Map<string, string>();
  if (value instanceof Map) for (const [key, text] of value) result.set(key, String(text ?? ""));
  return result;
}
