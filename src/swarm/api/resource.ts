/** How a plain container gets a place in a network of the swarm (swarmkit api/resource.proto), on TCP 2377. */
import { message, optional, text } from "../../wire/protobuf-message.ts";
import { networkAttachmentConfigShape } from "./specs.ts";

const SERVICE = "/docker.swarmkit.v1.ResourceAllocator/";
export const ATTACH_NETWORK = `${SERVICE}AttachNetwork`;
export const DETACH_NETWORK = `${SERVICE}DetachNetwork`;

export const attachNetworkRequestShape = message({
  config: optional(1, networkAttachmentConfigShape),
  containerId: text(2),
});
export const attachNetworkResponseShape = message({ attachmentId: text(1) });
export const detachNetworkRequestShape = message({ attachmentId: text(1) });
export const detachNetworkResponseShape = message({});
