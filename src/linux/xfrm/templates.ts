/** What a policy's templates ask for, held against associations (xfrm_policy_ok, xfrm_state_ok). */
import * as ipv4 from "../../wire/ipv4.ts";
import type { IpsecStep } from "../netfilter/ipsec-view.ts";
import type { Template } from "./policy.ts";
import type { XfrmState } from "./state.ts";

const PROTOCOL_ANY = 255;

/** ESP in transport mode is all that this kernel has: other templates find no association. */
export function isUsable(template: Template): boolean {
  return (
    template.mode === "transport" && (template.protocol === ipv4.PROTOCOL_ESP || template.protocol === PROTOCOL_ANY)
  );
}

/** Was a packet protected as every template asks? `path` is what was taken off, outermost first; the last template is the outermost. */
export function wasProtected(templates: readonly Template[], path: readonly XfrmState[]): boolean {
  let step = 0;
  for (let index = templates.length - 1; index >= 0; index--) {
    const template = templates[index]!;
    const found = path.findIndex((state, place) => place >= step && fitsTemplate(template, state));
    if (template.optional && template.mode === "transport") continue;
    if (found < 0) return template.optional;
    step = found + 1;
  }
  return true;
}

function fitsTemplate(template: Template, state: XfrmState): boolean {
  const { request } = state;
  return (
    isUsable(template) &&
    (template.spi === 0 || template.spi === request.spi) &&
    (template.reqid === 0 || template.reqid === request.reqid)
  );
}

/** An association as `-m policy` sees it. */
export function stepOf(state: XfrmState): IpsecStep {
  const { request } = state;
  return {
    protocol: ipv4.PROTOCOL_ESP,
    mode: "transport",
    spi: request.spi,
    reqid: request.reqid,
    tunnelSource: request.source,
    tunnelDestination: request.destination,
  };
}
