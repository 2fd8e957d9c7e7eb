/** `-j NOTRACK` and `-j CT --notrack`: connections are not tracked for this packet (xt_CT). */
import { UNTRACKED_PACKET } from "../conntrack/connection-info.ts";
import { flag, RuleError, type TargetExtension } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { CONTINUE, type Verdict } from "../verdict.ts";

class NoTrackTarget implements Target {
  readonly name: "NOTRACK" | "CT";
  readonly needsConntrack = true;
  readonly table = "raw";

  constructor(name: "NOTRACK" | "CT") {
    this.name = name;
  }

  run(packet: Packet): Verdict {
    if (packet.connection === 0) {
      packet.own();
      packet.frames.connection[packet.frame] = UNTRACKED_PACKET;
    }
    return CONTINUE;
  }
  save(): string {
    return this.name === "CT" ? "--notrack" : "";
  }
  list(): string {
    return this.name === "CT" ? "CT notrack" : "NOTRACK";
  }
}

export const NOTRACK_TARGET: TargetExtension = {
  name: "NOTRACK",
  options: [],
  build: () => new NoTrackTarget("NOTRACK"),
};

export const CT_TARGET: TargetExtension = {
  name: "CT",
  options: [flag("notrack")],
  build(uses) {
    if (!uses.has("notrack")) throw new RuleError("CT: only --notrack is known here");
    return new NoTrackTarget("CT");
  },
};
