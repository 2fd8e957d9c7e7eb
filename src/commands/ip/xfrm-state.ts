/** `ip xfrm state` (iproute2's ip/xfrm_state.c): add, update, delete, get, list, deleteall, flush, count. */

import { isIcvLength, isKeyLength } from "../../linux/xfrm/aes-gcm.ts";
import { xfrmOf } from "../../linux/xfrm/attach.ts";
import { LARGEST_REPLAY_WINDOW } from "../../linux/xfrm/replay-window.ts";
import { ANY_MARK, type Mark, type Selector } from "../../linux/xfrm/selector.ts";
import type { Lifetime, XfrmState } from "../../linux/xfrm/state.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { fromHex } from "../../wire/bytes.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, duplicate, matches, refused, USAGE_STATUS } from "./arguments.ts";
import type { IpContext } from "./ip-context.ts";
import {
  ANY_SELECTOR,
  type Identity,
  type Mode,
  number,
  PROTOCOL_ESP,
  readFlags,
  readIdentity,
  readLimit,
  readMark,
  readMode,
  readSelector,
  readTransformProtocol,
  required,
  transformProtocolName,
  wrong,
} from "./xfrm-arguments.ts";
import { EXTRA_FLAGS, type PrintOptions, STATE_FLAGS, stateText } from "./xfrm-text.ts";

const ALGORITHM_TYPES = ["enc", "auth", "comp", "aead", "auth-trunc"];
const NO_ADDRESS = 0 as Ipv4Address;

/** An algorithm as it was named: the kernel says whether it has it. */
interface Algorithm {
  readonly type: string;
  readonly name: string;
  readonly key: Uint8Array;
  readonly bits: number;
}

export function xfrmState(context: IpContext, args: Arguments, print: PrintOptions): string {
  const verb = args.done ? "list" : args.take();
  if (matches(verb, "add")) return change(context, args, false);
  if (matches(verb, "update")) return change(context, args, true);
  if (matches(verb, "delete") || matches(verb, "get"))
    return deleteOrGet(context, args, matches(verb, "delete"), print);
  if (matches(verb, "deleteall") || matches(verb, "delall")) {
    for (const state of filtered(context, args).states) xfrmOf(context.namespace).states.remove(state);
    return "";
  }
  if (matches(verb, "list") || matches(verb, "show") || matches(verb, "lst")) {
    const { states, withKeys } = filtered(context, args);
    return states.map((state) => stateText(state, { ...print, withKeys })).join("");
  }
  if (matches(verb, "flush")) return flush(context, args);
  if (matches(verb, "count")) return count(context, args, print);
  if (matches(verb, "help")) throw new CommandError(USAGE_STATUS, STATE_USAGE);
  throw new CommandError(USAGE_STATUS, `Command "${verb}" is unknown, try "ip xfrm state help".`);
}

function change(context: IpContext, args: Arguments, update: boolean): string {
  let identity: Identity | undefined;
  let mode: Mode = "transport";
  let mark: Mark = ANY_MARK;
  let outputMark: Mark | undefined;
  let reqid = 0;
  let replayWindow = 0;
  let sequence = 0;
  let outputSequence = 0;
  let lifetime: Lifetime = {};
  let selector: Selector = ANY_SELECTOR;
  const flags: string[] = [];
  const algorithms: Algorithm[] = [];
  while (!args.done) {
    const word = args.peek()!;
    if (ALGORITHM_TYPES.includes(word)) {
      algorithms.push(readAlgorithm(args, algorithms));
      continue;
    }
    const option = OPTIONS.has(word) ? args.take() : "";
    switch (option) {
      case "mode":
        mode = readMode(args);
        break;
      case "mark":
        mark = readMark(args);
        break;
      case "reqid":
        reqid = number(args, "REQID value is invalid");
        break;
      case "seq":
        number(args, "SEQ value is invalid");
        break;
      case "replay-window":
        replayWindow = number(args, 'value after "replay-window" is invalid');
        break;
      case "replay-seq":
        sequence = number(args, 'value after "replay-seq" is invalid');
        break;
      case "replay-oseq":
        outputSequence = number(args, 'value after "replay-oseq" is invalid');
        break;
      case "flag":
        flags.push(...readFlags(args, [...STATE_FLAGS, "esn"]));
        break;
      case "extra-flag":
        flags.push(...readFlags(args, EXTRA_FLAGS));
        break;
      case "sel": {
        if (args.done) args.value();
        const read = readSelector(args, deviceIndex(context));
        if (read === undefined) throw required("SELECTOR");
        selector = read;
        break;
      }
      case "limit":
        lifetime = { ...lifetime, ...readLimit(args) };
        break;
      case "output-mark": {
        const value = number(args, 'value after "output-mark" is invalid');
        outputMark = { value, mask: 0xffff_ffff };
        if (args.peek() !== "mask") break;
        args.take();
        outputMark = { value, mask: number(args, "mask value is invalid\n") };
        break;
      }
      default:
        if (identity !== undefined) throw wrong(word, "unknown");
        identity = readIdentity(args, false);
    }
  }
  if (flags.includes("esn") && replayWindow === 0)
    throw new CommandError(USAGE_STATUS, "Error: esn flag set without replay-window.");
  if (replayWindow > LARGEST_REPLAY_WINDOW)
    throw new CommandError(
      USAGE_STATUS,
      `Error: replay-window (${replayWindow}) > XFRMA_REPLAY_ESN_MAX (${LARGEST_REPLAY_WINDOW}).`,
    );
  if (identity === undefined) throw new CommandError(1, "Not enough information: ID is required");
  const aead = kernelChecks(identity, mode, algorithms, flags);
  const problem = xfrmOf(context.namespace).addState(
    {
      source: identity.source ?? NO_ADDRESS,
      destination: identity.destination ?? NO_ADDRESS,
      spi: identity.spi ?? 0,
      reqid,
      mark,
      selector,
      keyAndSalt: aead.key,
      icvBytes: aead.bits / 8,
      replayWindow,
      sequence,
      outputSequence,
      outputMark,
      lifetime,
      flags,
    },
    update,
  );
  if (problem !== undefined) throw refused(problem);
  return "";
}

const OPTIONS: ReadonlySet<string> = new Set([
  "mode",
  "mark",
  "reqid",
  "seq",
  "replay-window",
  "replay-seq",
  "replay-oseq",
  "flag",
  "extra-flag",
  "sel",
  "limit",
  "output-mark",
]);

/** What iproute2 asks of the combination, then what a kernel answers that has ESP in transport mode with AES-GCM alone. */
function kernelChecks(
  identity: Identity,
  mode: Mode,
  algorithms: readonly Algorithm[],
  flags: readonly string[],
): Algorithm {
  const name = transformProtocolName(identity.protocol!);
  if (mode === "ro" || mode === "in_trigger")
    throw new CommandError(1, `MODE value is invalid with XFRM-PROTO value "${name}"`);
  const has = (type: string) => algorithms.some((algorithm) => algorithm.type === type);
  if (identity.protocol === PROTOCOL_ESP) {
    if (has("comp")) throw new CommandError(1, `ALGO-TYPE value "comp" is invalid with XFRM-PROTO value "${name}"`);
    if (!has("enc") && !has("aead"))
      throw new CommandError(1, `ALGO-TYPE value "enc" or "aead" is required with XFRM-PROTO value "${name}"`);
  }
  const aead = algorithms.find((algorithm) => algorithm.type === "aead");
  if (aead !== undefined && (aead.name !== "rfc4106(gcm(aes))" || !isIcvLength(aead.bits / 8)))
    throw refused("ENOENT", "Requested AEAD algorithm not found");
  if (has("auth") || has("auth-trunc")) throw refused("ENOENT", "Requested AUTH algorithm not found");
  if (has("enc")) throw refused("ENOENT", "Requested CRYPT algorithm not found");
  if (has("comp")) throw refused("ENOENT", "Requested COMP algorithm not found");
  if (mode !== "transport") throw refused("EPROTONOSUPPORT", "Requested mode not found");
  if (identity.protocol !== PROTOCOL_ESP || aead === undefined)
    throw refused("EPROTONOSUPPORT", "Requested type not found");
  if (!isKeyLength(aead.key.length))
    throw refused("EINVAL", "Kernel was unable to initialize cryptographic operations");
  if (flags.includes("esn")) throw refused("EINVAL", "ESN is not supported");
  return aead;
}

function readAlgorithm(args: Arguments, earlier: readonly Algorithm[]): Algorithm {
  const type = args.take();
  const clashes: Record<string, readonly string[]> = {
    aead: ["enc", "auth", "auth-trunc", "aead"],
    enc: ["enc", "aead"],
    auth: ["auth", "auth-trunc", "aead"],
    "auth-trunc": ["auth", "auth-trunc", "aead"],
    comp: ["comp"],
  };
  if (earlier.some((algorithm) => clashes[type]!.includes(algorithm.type))) throw duplicate("ALGO-TYPE", type);
  if (args.done) throw required("ALGO-NAME");
  const name = args.take();
  if (type === "comp") return { type, name, key: new Uint8Array(0), bits: 0 };
  if (args.done) throw required("ALGO-KEYMAT");
  const key = readKey(args.take());
  if (type !== "aead" && type !== "auth-trunc") return { type, name, key, bits: 0 };
  const length = type === "aead" ? "ALGO-ICV-LEN" : "ALGO-TRUNC-LEN";
  if (args.done) throw required(length);
  return { type, name, key, bits: number(args, `${length} value is invalid`) };
}

/** Hexadecimal behind 0x, a zero in front where a digit is missing; else the text itself. */
function readKey(text: string): Uint8Array {
  if (!text.startsWith("0x") || text.length <= 2) return new TextEncoder().encode(text);
  const digits = text.slice(2);
  const key = fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
  if (key === undefined) throw wrong(text, "ALGO-KEYMAT value is invalid");
  return key;
}

function deleteOrGet(context: IpContext, args: Arguments, deletes: boolean, print: PrintOptions): string {
  let identity: Identity | undefined;
  let mark: Mark = ANY_MARK;
  while (!args.done) {
    const word = args.peek()!;
    if (word === "mark") {
      args.take();
      mark = readMark(args);
    } else {
      if (identity !== undefined) throw wrong(word, "unknown");
      identity = readIdentity(args, false);
    }
  }
  if (identity === undefined) throw refused("EINVAL");
  const { namespace } = context;
  const destination = identity.destination ?? NO_ADDRESS;
  const state =
    identity.protocol === PROTOCOL_ESP
      ? namespace.xfrm?.states.findExactly(destination, identity.spi ?? 0, mark)
      : undefined;
  if (state === undefined) throw refused("ESRCH");
  if (!deletes) return stateText(state, print);
  namespace.xfrm?.deleteState(destination, identity.spi ?? 0, mark);
  return "";
}

function filtered(context: IpContext, args: Arguments): { states: XfrmState[]; withKeys: boolean } {
  let identity: Identity | undefined;
  let mode: Mode | undefined;
  let reqid: number | undefined;
  let flags: readonly string[] | undefined;
  let withKeys = true;
  while (!args.done) {
    const word = args.peek()!;
    const option = ["nokeys", "mode", "reqid", "flag"].includes(word) ? args.take() : "";
    if (option === "nokeys") withKeys = false;
    else if (option === "mode") mode = readMode(args);
    else if (option === "reqid") reqid = number(args, "REQID value is invalid");
    else if (option === "flag") flags = readFlags(args, STATE_FLAGS);
    else {
      if (identity !== undefined) throw wrong(word, "unknown");
      identity = readIdentity(args, true);
    }
  }
  const states = (context.namespace.xfrm?.states.list ?? []).filter(
    ({ request }) =>
      (identity?.source === undefined || identity.source === request.source) &&
      (identity?.destination === undefined || identity.destination === request.destination) &&
      (identity?.protocol === undefined || identity.protocol === PROTOCOL_ESP) &&
      (identity?.spi === undefined || identity.spi === request.spi) &&
      (mode === undefined || mode === "transport") &&
      (reqid === undefined || reqid === request.reqid) &&
      (flags === undefined || flags.some((name) => request.flags.includes(name))),
  );
  return { states, withKeys };
}

function flush(context: IpContext, args: Arguments): string {
  let protocol: number | undefined;
  while (!args.done) {
    const word = args.take();
    if (word !== "proto") throw wrong(word, "unknown");
    protocol = readTransformProtocol(args);
  }
  if (protocol === undefined || protocol === PROTOCOL_ESP || protocol === 255) context.namespace.xfrm?.states.flush();
  return "";
}

function count(context: IpContext, args: Arguments, print: PrintOptions): string {
  if (!args.done) throw wrong(args.peek()!, "unknown");
  const states = context.namespace.xfrm?.states.list.length ?? 0;
  return `\t SAD count ${states}${print.statistics ? ", buckets 8 (max 1048576)" : ""}\n`;
}

function deviceIndex(context: IpContext): (name: string) => number {
  return (name) => context.namespace.device(name)?.index ?? 0;
}

const STATE_USAGE = `Usage: ip xfrm state { add | update } ID [ ALGO-LIST ] [ mode MODE ]
        [ mark MARK [ mask MASK ] ] [ reqid REQID ] [ seq SEQ ]
        [ replay-window SIZE ] [ replay-seq SEQ ] [ replay-oseq SEQ ]
        [ flag FLAG-LIST ] [ sel SELECTOR ] [ LIMIT-LIST ]
        [ extra-flag EXTRA-FLAG-LIST ]
        [ output-mark OUTPUT-MARK [ mask MASK ] ]
Usage: ip xfrm state { delete | get } ID [ mark MARK [ mask MASK ] ]
Usage: ip xfrm state deleteall [ ID ] [ mode MODE ] [ reqid REQID ]
        [ flag FLAG-LIST ]
Usage: ip xfrm state list [ nokeys ] [ ID ] [ mode MODE ] [ reqid REQID ]
        [ flag FLAG-LIST ]
Usage: ip xfrm state flush [ proto XFRM-PROTO ]
Usage: ip xfrm state count
ID := [ src ADDR ] [ dst ADDR ] [ proto XFRM-PROTO ] [ spi SPI ]
ALGO-LIST := aead rfc4106(gcm(aes)) ALGO-KEYMAT { 64 | 96 | 128 }`;
