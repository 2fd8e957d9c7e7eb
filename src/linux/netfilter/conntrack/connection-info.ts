/**
 * What a packet knows of its connection, packed into `FrameStore.connection`: the connection's number in the low 24 bits and the
 * packet's part in it above (enum ip_conntrack_info). 0: no connection, which rules call INVALID once conntrack has seen the packet.
 */
export const CONNECTION_MASK = 0xff_ffff;
const INFO_SHIFT = 24;

/** Parts of a packet. */
export const ESTABLISHED = 0;
export const RELATED = 1;
export const NEW = 2;
/** Added for packets in the direction of replies. */
export const IS_REPLY = 3;
export const UNTRACKED = 7;

export const UNTRACKED_PACKET = UNTRACKED << INFO_SHIFT;

/** Bits of the states that `--ctstate` lists. */
export const STATE_INVALID = 1;
export const STATE_ESTABLISHED = 2;
export const STATE_RELATED = 4;
export const STATE_NEW = 8;
export const STATE_UNTRACKED = 16;

export function pack(connection: number, info: number): number {
  return (info << INFO_SHIFT) | connection;
}

/** 0: none. */
export function connectionOf(packed: number): number {
  return packed & CONNECTION_MASK;
}

export function infoOf(packed: number): number {
  return packed >>> INFO_SHIFT;
}

/** 0 for the direction of the first packet, 1 for that of replies. */
export function directionOf(packed: number): 0 | 1 {
  return packed >>> INFO_SHIFT >= IS_REPLY ? 1 : 0;
}

/** One of the STATE bits. */
export function stateOf(packed: number): number {
  if (packed === UNTRACKED_PACKET) return STATE_UNTRACKED;
  if ((packed & CONNECTION_MASK) === 0) return STATE_INVALID;
  const info = packed >>> INFO_SHIFT;
  switch (info >= IS_REPLY ? info - IS_REPLY : info) {
    case ESTABLISHED:
      return STATE_ESTABLISHED;
    case RELATED:
      return STATE_RELATED;
    default:
      return STATE_NEW;
  }
}
