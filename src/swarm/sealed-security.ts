/** The control plane as a real Swarm has it: TLS 1.3 with a node's certificate on either side (swarmkit ca/transport.go, ca/certificates.go). */
import type { Random } from "../sim/random.ts";
import { parsePem } from "../wire/pem.ts";
import type { NodeCredentials, Purpose, SecurityOf } from "./node-security.ts";
import { parsePrivateKey } from "./tls/ec-private-key.ts";
import type { TlsSecurity } from "./tls/tls-security.ts";

/** The name that the other side's certificate must have; a joiner that fetches the root certificate takes anybody's. */
const SERVER_NAMES: Readonly<Record<Purpose, string | undefined>> = {
  root: undefined,
  certificate: "swarm-ca",
  manager: "swarm-manager",
  server: undefined,
};

export interface SealedSettings {
  /** The host's wall clock, in seconds since 1970. */
  nowSeconds(): number;
  /** The node's own stream. */
  readonly random: Random;
  /** Lines of the NSS key log format for whoever reads captures. */
  readonly keyLog?: (line: string) => void;
}

export function sealedSecurity({ nowSeconds, random, keyLog }: SealedSettings): SecurityOf {
  return (credentials: NodeCredentials, purpose: Purpose): TlsSecurity => ({
    kind: "tls",
    get credentials() {
      return purpose === "root" ? undefined : keyed(credentials);
    },
    get roots() {
      return blocksOf(credentials.root);
    },
    serverName: SERVER_NAMES[purpose],
    verifiesServer: purpose !== "root",
    nowSeconds,
    random,
    ...(keyLog === undefined ? {} : { keyLog }),
  });
}

function keyed({ certificate }: NodeCredentials): TlsSecurity["credentials"] {
  if (certificate === undefined) return undefined;
  const certificates = blocksOf(certificate.certificate);
  const privateKey = parsePrivateKey(new TextDecoder().decode(certificate.key));
  return privateKey === undefined || certificates.length === 0 ? undefined : { certificates, privateKey };
}

function blocksOf(pem: Uint8Array | undefined): readonly Uint8Array[] {
  return pem === undefined ? [] : parsePem("CERTIFICATE", new TextDecoder().decode(pem));
}
