/** Messages of the certificate authority's two services (swarmkit api/ca.proto). */
import { choice, embedded, message, octets, optional, text } from "../../wire/protobuf-message.ts";
import { certificateShape } from "../api/objects.ts";
import { versionShape } from "../api/parts.ts";
import { NODE_ROLES } from "../api/specs.ts";

export const GET_ROOT_CERTIFICATE = "/docker.swarmkit.v1.CA/GetRootCACertificate";
export const GET_UNLOCK_KEY = "/docker.swarmkit.v1.CA/GetUnlockKey";
export const ISSUE_CERTIFICATE = "/docker.swarmkit.v1.NodeCA/IssueNodeCertificate";
export const CERTIFICATE_STATUS = "/docker.swarmkit.v1.NodeCA/NodeCertificateStatus";

export const AVAILABILITIES = ["active", "pause", "drain"] as const;
export type Availability = (typeof AVAILABILITIES)[number];

export const rootCertificateResponseShape = message({ certificate: octets(1) });
export const unlockKeyResponseShape = message({ unlockKey: octets(1), version: optional(2, versionShape) });
export const issueRequestShape = message({
  /** Of old clients: the token decides. */
  role: choice(1, NODE_ROLES),
  request: octets(2),
  token: text(3),
  availability: choice(4, AVAILABILITIES),
});
export const issueResponseShape = message({ nodeId: text(1), membership: choice(2, ["pending", "accepted"]) });
export const statusRequestShape = message({ nodeId: text(1) });
export const statusResponseShape = message({
  status: embedded(
    1,
    message({ state: choice(1, ["unknown", "renew", "pending", "issued", "failed", "rotate"]), error: text(2) }),
  ),
  certificate: optional(2, certificateShape),
});
