/** Why bytes that came to port 7946 are no gossip: the reasons that the gossip codecs give, in the order in which they look. */
export type Malformed =
  | "gossip-empty"
  | "gossip-label" // a labelled packet, memberlist label.go; Swarm uses none
  | "gossip-undecryptable" // no key of the ring opens it, or it is too short to be sealed
  | "gossip-encryption-version"
  | "gossip-checksum"
  | "gossip-compression"
  | "gossip-truncated"
  | "gossip-compound"
  | "gossip-unknown-type"
  | "gossip-fields" // a map that lacks a field, or has one of another kind
  | "gossip-not-ipv4"
  | "gossip-too-large";
