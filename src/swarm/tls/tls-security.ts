/** What a program of the swarm brings to its TLS connections (swarmkit ca/transport.go, ca/config.go). */
import type { Random } from "../../sim/random.ts";

/** Its fields are asked for anew at every handshake: certificates are renewed and authorities change. */
export interface TlsSecurity {
  readonly kind: "tls";
  /** Our chain (DER, our own first) and key. Servers need one; a client that joins has none. */
  readonly credentials: { readonly certificates: readonly Uint8Array[]; readonly privateKey: Uint8Array } | undefined;
  /** Certificates (DER) of the authorities that we trust. */
  readonly roots: readonly Uint8Array[];
  /** The name that a server must have, sent in the first message; undefined: none is sent, any will do. */
  readonly serverName: string | undefined;
  /** False: any server will do, as for a node that joins and knows no authority yet. */
  readonly verifiesServer: boolean;
  /** The wall clock, in seconds since 1970. */
  readonly nowSeconds: () => number;
  readonly random: Random;
  /** Lines of the NSS key log format, without the line end, for whoever reads captures. */
  readonly keyLog?: (line: string) => void;
}
