/**
 * Everything that reads bytes from outside, under one call: what comes back may be a value or a reason, never an exception, and never a long wait. What was read and can be written is read
 * again from what was written.
 */
import { readCapture } from "../../capture/capture-reader.ts";
import * as gossip from "../../gossip/messages.ts";
import * as networkdb from "../../gossip/networkdb-messages.ts";
import * as gossipStream from "../../gossip/stream-messages.ts";
import * as raft from "../../raft/wire.ts";
import { loadScenario } from "../../scenario/load.ts";
import { ScenarioError } from "../../scenario/problem.ts";
import { loadTopologyScript } from "../../scenario/topology-script.ts";
import * as arp from "../../wire/arp.ts";
import { toHex } from "../../wire/bytes.ts";
import { describe } from "../../wire/describe.ts";
import * as dns from "../../wire/dns.ts";
import * as http2 from "../../wire/http2.ts";
import * as icmp from "../../wire/icmp.ts";
import * as igmp from "../../wire/igmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as stp from "../../wire/stp.ts";
import * as tcp from "../../wire/tcp.ts";
import * as tlsHandshake from "../../wire/tls-handshake.ts";
import * as tlsRecord from "../../wire/tls-record.ts";
import * as udp from "../../wire/udp.ts";
import * as x509 from "../../wire/x509.ts";

export interface CodecTarget {
  readonly name: string;
  /** Throws what it must not; or says what does not hold of the bytes. */
  read(bytes: Uint8Array): string | undefined;
}

/** A parser of bytes from 0 to their end. */
function parser(name: string, parse: (bytes: Uint8Array, at: number, end: number) => unknown): CodecTarget {
  return {
    name,
    read(bytes) {
      parse(bytes, 0, bytes.length);
      return undefined;
    },
  };
}

/** A parser whose values can be written: what is written is read as the same. */
function pair<T>(name: string, parse: (bytes: Uint8Array) => T | string, emit: (value: T) => Uint8Array): CodecTarget {
  return {
    name,
    read(bytes) {
      const value = parse(bytes);
      if (typeof value === "string") return undefined;
      const written = emit(value);
      const again = parse(written);
      if (typeof again === "string") return `what was written is refused: ${again}`;
      return toHex(emit(again)) === toHex(written) ? undefined : "what was written is read as something else";
    },
  };
}

function text(name: string, load: (text: string) => unknown): CodecTarget {
  const decoder = new TextDecoder();
  return {
    name,
    read(bytes) {
      try {
        load(decoder.decode(bytes));
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
      }
      return undefined;
    },
  };
}

export const CODEC_TARGETS: readonly CodecTarget[] = [
  parser("describe", describe),
  parser("arp", arp.parse),
  parser("ipv4", ipv4.parse),
  parser("udp", udp.parse),
  parser("tcp", tcp.parse),
  parser("icmp", icmp.parse),
  parser("igmp", igmp.parse),
  parser("stp", stp.parse),
  parser("dns", dns.parse),
  parser("http2", http2.parse),
  parser("tls-record", tlsRecord.parse),
  parser("tls-handshake", tlsHandshake.parse),
  parser("x509", x509.parse),
  pair("gossip", gossip.parse, gossip.emit),
  parser("gossip-stream", gossipStream.parse),
  parser("networkdb", networkdb.parse),
  pair("raft", raft.parse, raft.emit),
  parser("capture", readCapture),
  text("scenario", (source) => loadScenario(source, "fuzz.yaml")),
  text("script", (source) => loadTopologyScript(source, "fuzz.sh", "fuzz")),
];
