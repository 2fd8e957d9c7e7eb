/** An ordered stream of bytes between two programs: what HTTP/2 runs over, in clear or under TLS. */

export interface ByteStream {
  /** Takes all of it; what the peer has no room for yet waits here (`unsentBytes`). */
  write(bytes: Uint8Array): void;
  readonly unsentBytes: number;
  /** Ends it. No event follows. */
  close(): void;
}

export interface ByteStreamEvents {
  /** It stands: bytes may go both ways. */
  opened(): void;
  received(bytes: Uint8Array): void;
  /** What waited has been taken. */
  drained(): void;
  /** The end, once, with Go's words for the reason: `EOF` when the peer closed in good order. Nothing follows. */
  closed(reason: string): void;
}
