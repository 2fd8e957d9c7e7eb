/**
 * What a recorded node printed of itself when a case was over (`state_node1.txt`): what commands said, namespace by namespace. A line
 * `=================== netns HANDLE container NAME` begins a namespace, `### COMMAND` a command in it.
 */
import { type Ipv4Address, parsePrefix } from "../../../wire/address.ts";

export interface StateSection {
  /** Empty before the first namespace: what the client `docker` said. */
  readonly namespace: string;
  /** Of a container's namespace. */
  readonly container: string | undefined;
  /** Without `nsenter --net=…`. */
  readonly command: string;
  readonly text: string;
}

export interface RecordedState {
  readonly sections: readonly StateSection[];
}

/** The host's own namespace goes by this name. */
export const HOST_NAMESPACE = "HOST";

export function parseState(text: string): RecordedState {
  const sections: StateSection[] = [];
  let namespace = "";
  let container: string | undefined;
  let command: string | undefined;
  let lines: string[] = [];
  const finish = (): void => {
    if (command !== undefined) sections.push({ namespace, container, command, text: lines.join("\n").trim() });
    command = undefined;
    lines = [];
  };
  for (const line of text.split("\n")) {
    const scope = /^=+ (?:HOST netns|netns (\S+)(?: container (\S+))?)\s*$/.exec(line);
    const heading = /^### (?:nsenter --net=\S+ )?(.*)$/.exec(line);
    if (scope !== null) {
      finish();
      namespace = scope[1] ?? HOST_NAMESPACE;
      container = scope[2];
    } else if (heading !== null) {
      finish();
      command = heading[1]!;
    } else lines.push(line);
  }
  finish();
  return { sections };
}

/** One interface as `ip addr` shows it. */
export interface ShownInterface {
  readonly index: number;
  readonly name: string;
  /** The index of a veth's other end, where it is in another namespace. */
  readonly peerIndex: number | undefined;
  /** With their lengths, in the order shown. */
  readonly addresses: readonly { readonly address: Ipv4Address; readonly length: number }[];
}

/** The interfaces in the text of `ip addr` or `ip -d link`. */
export function shownInterfaces(text: string): ShownInterface[] {
  const found: (ShownInterface & { addresses: { address: Ipv4Address; length: number }[] })[] = [];
  for (const line of text.split("\n")) {
    const heading = /^(\d+): ([^@:\s]+)(?:@(?:if(\d+)|\S+))?:/.exec(line);
    if (heading !== null) {
      const [, index, name, peer] = heading;
      const peerIndex = peer === undefined ? undefined : Number(peer);
      found.push({ index: Number(index), name: name!, peerIndex, addresses: [] });
      continue;
    }
    const inet = /^\s+inet (\S+)/.exec(line);
    const prefix = inet === null ? undefined : parsePrefix(inet[1]!.includes("/") ? inet[1]! : `${inet[1]}/32`);
    if (prefix !== undefined) found.at(-1)?.addresses.push(prefix);
  }
  return found;
}
