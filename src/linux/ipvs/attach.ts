/** A namespace's load balancer, made when it is first asked for; it needs the firewall's hooks. */
import type { NetworkNamespace } from "../namespace.ts";
import { netfilterOf } from "../netfilter/attach.ts";
import { Ipvs } from "./ipvs.ts";

export function ipvsOf(namespace: NetworkNamespace): Ipvs {
  namespace.ipvs ??= new Ipvs(namespace, netfilterOf(namespace));
  return namespace.ipvs;
}
