/** The short form of a published port: `[address:][published[-last]:]target[-last][/protocol]`, as Docker's go-connections reads it. */

export interface PortMapping {
  readonly protocol: string;
  readonly target: number;
  /** 0 when Docker is to choose one. */
  readonly published: number;
  /** As the client repeats it when it says that the address is ignored: `127.0.0.1:9000:90/udp`. */
  readonly ignoredAddress?: string;
}

const PROTOCOLS: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);
const MOST_PORT = 65_535;

export function isPortSpec(text: string): boolean {
  return splitPortSpec(text) !== undefined;
}

interface PortSpec {
  readonly address: string;
  readonly published: Range | undefined;
  readonly target: Range;
  readonly protocol: string;
}
interface Range {
  readonly first: number;
  readonly last: number;
}

/** The mappings in the client's order, or undefined if it is no port specification. */
export function parsePortSpec(text: string): PortMapping[] | undefined {
  const spec = splitPortSpec(text);
  if (spec === undefined) return undefined;
  const { address, published, target, protocol } = spec;
  const mappings: PortMapping[] = [];
  const add = (targetPort: number, publishedPort: number, publishedText: string): void => {
    const ignored = `${address.includes(":") ? `[${address}]` : address}:${publishedText}:${targetPort}/${protocol}`;
    const mapping = { protocol, target: targetPort, published: publishedPort };
    mappings.push(address === "" || WILDCARDS.has(address) ? mapping : { ...mapping, ignoredAddress: ignored });
  };
  if (published === undefined) for (let port = target.first; port <= target.last; port++) add(port, 0, "");
  else if (target.first === target.last) {
    // A range of published ports for one target: all of them lead there.
    const rangeText =
      published.first === published.last ? `${published.first}` : `${published.first}-${published.last}`;
    for (let port = published.first; port <= published.last; port++) add(target.first, port, rangeText);
  } else
    for (let port = target.first; port <= target.last; port++) {
      const other = published.first + port - target.first;
      add(port, other, `${other}`);
    }
  // The client sorts by target and protocol, as texts.
  const key = (mapping: PortMapping): string => `${mapping.target}/${mapping.protocol}`;
  return mappings.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0"]);

function splitPortSpec(text: string): PortSpec | undefined {
  const parts = text.split(":");
  const [targetText = "", protocolText = ""] = splitOnce(parts.at(-1)!, "/");
  const publishedText = parts.length > 1 ? parts.at(-2)! : "";
  const address = addressOf(parts.slice(0, -2).join(":"));
  const protocol = protocolText === "" ? "tcp" : protocolText.toLowerCase();
  const target = range(targetText);
  if (address === undefined || target === undefined || !PROTOCOLS.has(protocol)) return undefined;
  if (publishedText === "") return { address, published: undefined, target, protocol };
  const published = range(publishedText);
  if (published === undefined) return undefined;
  const sameLength = published.last - published.first === target.last - target.first;
  return sameLength || target.first === target.last ? { address, published, target, protocol } : undefined;
}

function splitOnce(text: string, sign: string): readonly string[] {
  const at = text.indexOf(sign);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function range(text: string): Range | undefined {
  const match = /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return last < first || last > MOST_PORT ? undefined : { first, last };
}

/** "" for none. */
function addressOf(text: string): string | undefined {
  if (text === "") return "";
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  return isIpv4(bare) || isIpv6(bare) ? bare : undefined;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
}

function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (!text.includes(":") || halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const embedded = last?.includes(".") === true;
  if (embedded && !isIpv4(last!)) return false;
  const plain = embedded ? groups.slice(0, -1) : groups;
  const count = plain.length + (embedded ? 2 : 0);
  return plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) && (halves.length === 2 ? count < 8 : count === 8);
}
