/**
 * Bugs that somebody might make, each a change of a few characters in a compiled file. `find` stands there exactly once; a list that has grown stale is told as such.
 * What each mutant does is said as the bug it is.
 */

export interface Mutant {
  readonly name: string;
  readonly area: string;
  /** What looks for it: random worlds, or the parts of the control plane. */
  readonly by: "worlds" | "raft" | "membership" | "addresses" | "subnets" | "spread";
  /** Below dist/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const worlds = (area: string, file: string, name: string, find: string, replace: string): Mutant => ({
  name,
  area,
  by: "worlds",
  file,
  find,
  replace,
});

const control = (
  by: Mutant["by"],
  area: string,
  file: string,
  name: string,
  find: string,
  replace: string,
): Mutant => ({
  name,
  area,
  by,
  file,
  find,
  replace,
});

const RELAY = "linux/bridge-relay.js";
const FDB = "linux/filtering-database.js";
const VXLAN = "linux/vxlan.js";
const SENDER = "linux/vxlan-sender.js";
const VFDB = "linux/vxlan-fdb.js";
const NEIGHBOUR = "linux/neighbour.js";
const ARP = "linux/arp.js";
const PROXY = "linux/vxlan-proxy.js";
const ROUTES = "linux/route-table.js";
const FORWARD = "linux/ipv4-forward.js";
const OUTPUT = "linux/ipv4-output.js";
const CUT = "linux/fragment.js";
const JOIN = "linux/reassembly.js";
const NAT = "linux/netfilter/nat.js";
const REWRITE = "linux/netfilter/nat-rewrite.js";
const TRACK = "linux/netfilter/conntrack/conntrack.js";
const CHAIN = "linux/netfilter/chain.js";
const RR = "linux/ipvs/round-robin.js";
const IPVS = "linux/ipvs/transmit.js";
const IPV4 = "wire/ipv4.js";
const STORE = "linux/frame-store.js";

export const MUTANTS: readonly Mutant[] = [
  worlds(
    "bridge",
    RELAY,
    "floods back to the port a frame came by",
    "if (egress === ingress && !egress.hairpin)",
    "if (false)",
  ),
  worlds("bridge", RELAY, "does not learn", "if (ingress.learning)", "if (false)"),
  worlds(
    "bridge",
    RELAY,
    "learns the destination in place of the source",
    "this.#fdb.learn(sourceHigh, sourceLow, vlan, ingress)",
    "this.#fdb.learn(ethernet.destinationHigh(bytes, at) & 0xfeff, ethernet.destinationLow(bytes, at), vlan, ingress)",
  ),
  worlds(
    "bridge",
    RELAY,
    "sends a flooded frame twice to its last port",
    "            if (forHost)\n                frames.hold(frame);",
    "            frames.hold(frame);\n            this.#send(ingress, last, frame, vlan);\n            if (forHost)\n                frames.hold(frame);",
  ),
  worlds(
    "bridge",
    RELAY,
    "forgets to hold a flooded frame for each port",
    "            if (last !== undefined) {\n                frames.hold(frame);",
    "            if (last !== undefined) {",
  ),
  worlds(
    "bridge",
    RELAY,
    "drops what it does not know",
    'this.#flood(ingress, frame, "unicast", vlan, false);',
    'this.#drop(frame, "bridge-no-port", ingress);',
  ),
  worlds(
    "bridge",
    RELAY,
    "floods broadcasts to no host",
    '"broadcast", vlan, ingress !== undefined',
    '"broadcast", vlan, false',
  ),
  worlds(
    "bridge",
    FDB,
    "an address never moves to another port",
    "if ((target & PORT) !== port.number && (target & STICKY) === 0)",
    "if (false)",
  ),
  worlds(
    "bridge",
    FDB,
    "learns at the next port",
    "this.#insert(high, low, vlan, port, LEARNT, this.#clock.nowNs);",
    "this.#insert(high, low, vlan, this.#ports.at(-1) ?? port, LEARNT, this.#clock.nowNs);",
  ),
  worlds("VXLAN", VXLAN, "takes any VNI", "return this.settings.vni;", "return 4097;"),
  worlds(
    "VXLAN",
    VXLAN,
    "sends to the first remote only",
    "for (let index = 1; index < remotes.length; index++)",
    "for (let index = 1; index < 1; index++)",
  ),
  worlds("VXLAN", VXLAN, "does not learn", "if (this.settings.learning) {", "if (false) {"),
  worlds(
    "VXLAN",
    VXLAN,
    "sends the last remote's copy twice",
    "this.#sender.send(frame, remotes[0]);",
    "this.#sender.send(frames.clone(frame), remotes[0]);\n        this.#sender.send(frame, remotes[0]);",
  ),
  worlds(
    "VXLAN",
    VFDB,
    "learns the remote wrong by one",
    "this.#create(high, low, this.#key({ address: (source >>> 0) }), 0);",
    "this.#create(high, low, this.#key({ address: ((source + 1) >>> 0) }), 0);",
  ),
  worlds(
    "VXLAN",
    VFDB,
    "a learnt address never moves",
    "if ((first.address | 0) === (source | 0) && first.device === undefined)",
    "if (true)",
  ),
  worlds("VXLAN", SENDER, "writes the wrong VNI", "outer.vni = remote.vni;", "outer.vni = remote.vni ^ 1;"),
  worlds(
    "VXLAN",
    PROXY,
    "answers with its own idea of the owner",
    "const asker = arp.senderHardwareAddress(bytes, at);",
    "const asker = answer;",
  ),
  worlds(
    "VXLAN",
    "docker/overlay-network.js",
    "tells peers another node's address",
    "segment.addForwarding(endpoint.mac, vtep, false);",
    "segment.addForwarding(endpoint.mac, vtep ^ 1, false);",
  ),
  worlds(
    "neighbour",
    NEIGHBOUR,
    "sends to half an address",
    "this.#macHigh, this.#macLow,",
    "this.#macHigh, this.#macLow & ~1,",
  ),
  worlds(
    "neighbour",
    NEIGHBOUR,
    "loses the first packet that waits",
    "        if (!wasValid)\n            this.#sendQueue();",
    "        if (!wasValid) {\n            this.#queue.shift();\n            this.#sendQueue();\n        }",
  ),
  worlds(
    "neighbour",
    NEIGHBOUR,
    "keeps an address that has changed",
    "if (changesMac && options.override !== true)",
    "if (changesMac)",
  ),
  worlds(
    "neighbour",
    ARP,
    "believes the target",
    'neighbour.update(packet.senderHardwareAddress, "STALE", { override: true });\n                this.#reply',
    'neighbour.update(packet.targetHardwareAddress, "STALE", { override: true });\n                this.#reply',
  ),
  worlds(
    "neighbour",
    ARP,
    "answers for everybody",
    'if (routing.addressType(target) === "local") {\n                if',
    "if (true) {\n                if",
  ),
  worlds(
    "neighbour",
    ARP,
    "announces another's hardware address",
    "operation, device.address, fields.senderProtocolAddress",
    "operation, device.address + 1, fields.senderProtocolAddress",
  ),
  worlds(
    "routes",
    ROUTES,
    "prefers the shorter prefix",
    "while (place < few.length && few[place].destination.length > length)",
    "while (place < few.length && few[place].destination.length < length)",
  ),
  worlds(
    "routes",
    ROUTES,
    "compares without the mask",
    "if (((address ^ destination.address) & maskOf(destination.length)) === 0 && admits(route))",
    "if (admits(route))",
  ),
  worlds("routes", FORWARD, "does not lower the time to live", "ipv4.decrementTtl(frames.bytes, header);", ""),
  worlds("routes", FORWARD, "gives up a hop early", "<= 1)", "<= 64)"),
  worlds(
    "IPv4",
    OUTPUT,
    "sends longer packets than the MTU",
    "if (frames.length(next) > mtu || frames.fragmentLimit[next] !== 0)",
    "if (frames.length(next) > mtu + 100 || frames.fragmentLimit[next] !== 0)",
  ),
  worlds(
    "IPv4",
    IPV4,
    "lowers the time to live and keeps the checksum",
    "putU16(bytes, at + CHECKSUM, adjust(getU16(bytes, at + CHECKSUM), before, after));\n}\n/** Replaces DSCP",
    "}\n/** Replaces DSCP",
  ),
  worlds(
    "IPv4",
    CUT,
    "forgets More Fragments",
    "const more = moreBehind || offset + size < payloadBytes ? ipv4.MORE_FRAGMENTS : 0;",
    "const more = moreBehind ? ipv4.MORE_FRAGMENTS : 0;",
  ),
  worlds("IPv4", CUT, "counts offsets in bytes", "((first + offset) >> 3)", "((first + offset) >> 2)"),
  worlds("IPv4", CUT, "cuts anywhere", "most & ~7", "most & ~3"),
  worlds(
    "IPv4",
    JOIN,
    "puts pieces together eight bytes off",
    "to + headerBytes + piece.offset, payload,",
    "to + headerBytes + (piece.offset > 0 ? piece.offset - 8 : 0), payload,",
  ),
  worlds(
    "IPv4",
    JOIN,
    "waits for what has come",
    "return reached === datagram.lastEnd;",
    "return reached > datagram.lastEnd;",
  ),
  worlds(
    "NAT",
    NAT,
    "does not translate answers",
    "const bit = this.#statusBit(manipulation, info.directionOf(packed));",
    "const bit = info.directionOf(packed) === 0 ? this.#statusBit(manipulation, 0) : 0;",
  ),
  worlds(
    "NAT",
    NAT,
    "forgets to turn the tuple round",
    "            invertTuple(wanted);\n            this.#conntrack.alterReply(row, wanted);",
    "            this.#conntrack.alterReply(row, wanted);",
  ),
  worlds(
    "NAT",
    REWRITE,
    "forgets the transport checksum",
    "    if (addressBefore !== addressAfter)\n        checksum = adjust32(checksum, addressBefore, addressAfter);",
    "",
  ),
  worlds(
    "NAT",
    REWRITE,
    "rewrites the other address",
    "    if (isSource)\n        ipv4.setSource(bytes, at, after);\n    else\n        ipv4.setDestination(bytes, at, after);",
    "    if (!isSource)\n        ipv4.setSource(bytes, at, after);\n    else\n        ipv4.setDestination(bytes, at, after);",
  ),
  worlds(
    "conntrack",
    TRACK,
    "takes answers for new connections",
    "part = info.ESTABLISHED + info.IS_REPLY;",
    "part = info.NEW;",
  ),
  worlds(
    "conntrack",
    TRACK,
    "loses connections when they are confirmed",
    "if (this.table.confirm(row, this.#host.clock.nowNs))",
    "if (!this.table.confirm(row, this.#host.clock.nowNs))",
  ),
  worlds(
    "firewall",
    CHAIN,
    "takes every rule for fitting no source",
    "if (((packet.source & this.#sourceMask) === this.#sourceAddress) === this.#sourceInverted)",
    "if (((packet.source & this.#sourceMask) === this.#sourceAddress) !== this.#sourceInverted)",
  ),
  worlds(
    "firewall",
    CHAIN,
    "does not drop",
    "if (verdict === ACCEPT || verdict === DROP)\n            return verdict;\n        if (this.policy",
    "if (verdict === ACCEPT)\n            return verdict;\n        if (this.policy",
  ),
  worlds(
    "firewall",
    "linux/netfilter/netfilter.js",
    "skips the filter of what is for the host",
    "if (!this.#passes(this.#filter?.input, packet))",
    "if (false)",
  ),
  worlds(
    "IPVS",
    RR,
    "stays with one server",
    "const server = servers[(start + step) % servers.length];",
    "const server = servers[(start + step + servers.length - 1) % servers.length];",
  ),
  worlds(
    "IPVS",
    RR,
    "skips every other server",
    "this.#last = server;",
    "this.#last = servers[(start + step + 1) % servers.length];",
  ),
  worlds(
    "IPVS",
    IPVS,
    "writes the client's port for the server's",
    "tuple.ports = (connection.clientPort << 16) | connection.serverPort;",
    "tuple.ports = (connection.clientPort << 16) | (connection.serverPort + 1);",
  ),
  worlds("links", STORE, "loses count of a holder", "this.made += count;", "this.made += count + 1;"),
  worlds(
    "links",
    STORE,
    "writes to what others hold",
    "if (this.#holders[frame] === 1)\n            return frame;",
    "return frame;",
  ),
  control(
    "addresses",
    "IPAM",
    "docker/ipam/address-pool.js",
    "gives an address twice",
    "if (this.#taken.has(candidate))\n                continue;",
    "",
  ),
  control(
    "addresses",
    "IPAM",
    "docker/ipam/address-pool.js",
    "gives the broadcast address",
    "this.#last = !whole && last === broadcast ? last - 1 : last;",
    "this.#last = last;",
  ),
  control(
    "addresses",
    "IPAM",
    "docker/ipam/address-pool.js",
    "does not come back to the first",
    "candidate = this.#first;",
    "break;",
  ),
  control(
    "subnets",
    "IPAM",
    "docker/ipam/subnet-pools.js",
    "takes overlaps for none",
    "const hindrance = hindrances.find((other) => overlaps(other, candidate));",
    "const hindrance = hindrances.find((other) => other === candidate);",
  ),
  control(
    "membership",
    "gossip",
    "gossip/membership.js",
    "believes an old suspicion",
    "accusation.incarnation < member.incarnation)\n            return;\n        const open",
    "false)\n            return;\n        const open",
  ),
  control(
    "membership",
    "gossip",
    "gossip/membership.js",
    "revives the dead without a higher incarnation",
    "alive.incarnation <= member.incarnation && !moves",
    "alive.incarnation < member.incarnation && !moves",
  ),
  control(
    "membership",
    "gossip",
    "gossip/membership.js",
    "believes ill of itself",
    "if (member.name === this.self.name) {\n            this.#refute(member, accusation.incarnation);\n            return;\n        }",
    "",
  ),
  control("raft", "raft", "raft/election.js", "forgets whom it voted for", "state.vote = message.from;", ""),
  control(
    "raft",
    "raft",
    "raft/rules.js",
    "takes half for a majority",
    "Math.floor(voters / 2) + 1",
    "Math.floor(voters / 2)",
  ),
  control(
    "raft",
    "raft",
    "raft/rules.js",
    "votes for a log that lacks committed entries",
    "return theirTerm > ourTerm || (theirTerm === ourTerm && theirIndex >= ourIndex);",
    "return true;",
  ),
  control(
    "spread",
    "scheduler",
    "swarm/scheduler/spread.js",
    "fills the first node",
    "turn++;\n        for",
    "turn += 0;\n        for",
  ),
];
