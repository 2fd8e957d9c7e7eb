/**
 * A capture taken apart into conversations: a TCP connection, the echoes of one ping, the questions from one port, who asks for whose MAC address. Within one the
 * order means something; between two that run at once it is a matter of microseconds.
 */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import { FrameNamer } from "./frame-line.ts";
import type { Naming } from "./naming.ts";

export type ConversationKind = "tcp" | "udp" | "icmp" | "icmp error" | "arp" | "esp" | "other";

export interface Conversation {
  readonly kind: ConversationKind;
  readonly lines: readonly string[];
}

export interface TakenApart {
  /** Of the whole capture, in its order. */
  readonly lines: readonly string[];
  /** In the order of their first frames. */
  readonly conversations: readonly Conversation[];
}

export function takeApart(frames: readonly CapturedFrame[], naming: Naming, machine: string): TakenApart {
  const whole = new FrameNamer(naming, machine);
  const lines: string[] = [];
  const groups = new Map<string, { kind: ConversationKind; frames: CapturedFrame[] }>();
  for (const frame of frames) {
    const { line, layers } = whole.frame(frame);
    lines.push(line);
    const { kind, key } = identify(line, layers);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind, frames: [frame] });
    else group.frames.push(frame);
  }
  const conversations = [...groups.values()].map(({ kind, frames: own }) => {
    const namer = new FrameNamer(naming, machine);
    return { kind, lines: own.map((frame) => namer.frame(frame).line) };
  });
  return { lines, conversations };
}

function identify(line: string, layers: readonly string[]): { kind: ConversationKind; key: string } {
  const quote = /quote\((.*)\)/.exec(line)?.[1];
  if (quote !== undefined) return { kind: "icmp error", key: `error ${line.replace(/ \| frame.*/, "")}` };
  const innermost = line.lastIndexOf("| ip ");
  const ends = /\| ip (\S+)>(\S+) /.exec(line.slice(Math.max(innermost, 0)));
  const inner = layers.at(-1);
  if (inner === "arp") {
    const parties = /arp op(\d) (\S+) asks (\S+)/.exec(line);
    const owner = (text = "") => text.slice(text.indexOf("/") + 1);
    // An answer belongs to its question.
    return { kind: "arp", key: `arp ${[owner(parties?.[2]), owner(parties?.[3])].sort().join(" ")}` };
  }
  if (ends === null) return { kind: "other", key: "other" };
  const hosts = [ends[1]!, ends[2]!];
  const ports = /\| (?:tcp|udp) (\S+)>(\S+) /.exec(line.slice(innermost));
  if (ports !== null) {
    const parties = [`${hosts[0]}:${ports[1]}`, `${hosts[1]}:${ports[2]}`].sort();
    return { kind: inner === "tcp" ? "tcp" : "udp", key: `${inner} ${parties.join(" ")}` };
  }
  const echo = / id (I\d+) /.exec(line)?.[1];
  const kind = inner === "icmp" ? "icmp" : inner === "esp" ? "esp" : "other";
  return { kind, key: `${kind} ${hosts.sort().join(" ")} ${echo ?? ""}` };
}
