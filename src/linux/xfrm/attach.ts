/** A namespace's IPsec, made when it is first asked for. */
import type { NetworkNamespace } from "../namespace.ts";
import { findNetfilter } from "../netfilter/attach.ts";
import { Xfrm } from "./xfrm.ts";

export function xfrmOf(namespace: NetworkNamespace): Xfrm {
  if (namespace.xfrm === undefined) {
    namespace.xfrm = new Xfrm(namespace);
    const netfilter = findNetfilter(namespace);
    if (netfilter !== undefined) netfilter.ipsec = namespace.xfrm;
  }
  return namespace.xfrm;
}
