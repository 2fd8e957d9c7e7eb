/**
 * The kernel module `ip_vs` of one machine, and the settings that Docker gives it. They are written when a load balancer's sandbox is made, both inside
 * and (libnetwork does it twice, the second time outside) on the host, and again on the host with every server. Until the module is loaded, by the
 * first server ever, there is nothing to write to: the sandboxes made before, always the ingress one among them, keep the kernel's defaults.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";

const SETTINGS: readonly (readonly [key: string, value: string])[] = [
  ["net.ipv4.vs.conn_reuse_mode", "0"],
  ["net.ipv4.vs.expire_nodest_conn", "1"],
  ["net.ipv4.vs.expire_quiescent_template", "1"],
];

export class IpvsModule {
  readonly #host: NetworkNamespace;
  #isLoaded: boolean;

  /** `isLoaded`: something else has used it since the machine was booted. */
  constructor(host: NetworkNamespace, isLoaded = false) {
    this.#host = host;
    this.#isLoaded = isLoaded;
  }

  /** `modprobe ip_vs`. */
  load(): void {
    this.#isLoaded = true;
  }

  /** A sandbox for load balancing was made. */
  sandboxMade(sandbox: NetworkNamespace): void {
    this.#tune(sandbox);
    this.#tune(this.#host);
  }

  /** A server was given to the kernel. */
  serverAdded(): void {
    this.#tune(this.#host);
  }

  #tune(namespace: NetworkNamespace): void {
    if (!this.#isLoaded) return;
    // A setting that is changed makes the host decide all its routes anew, and servers come by the hundred.
    for (const [key, value] of SETTINGS) if (namespace.sysctl.get(key) !== value) namespace.sysctl.set(key, value);
  }
}
