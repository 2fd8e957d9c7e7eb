/** What the peer's SETTINGS ask of us, RFC 9113 §6.5.2. */
import * as http2 from "../../wire/http2.ts";
import { type Violation, violation } from "./violation.ts";

export class PeerSettings {
  headerTableBytes = 4_096;
  initialWindowBytes = http2.DEFAULT_WINDOW_BYTES;
  maximumFrameBytes = http2.DEFAULT_MAXIMUM_FRAME_BYTES;
  maximumStreams = Number.POSITIVE_INFINITY;

  /** One setting; those that we do not know are ignored. */
  apply(identifier: number, value: number): Violation | undefined {
    switch (identifier) {
      case http2.SETTINGS_HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return undefined;
      case http2.SETTINGS_ENABLE_PUSH:
        return value > 1 ? violation("PROTOCOL_ERROR", "ENABLE_PUSH neither 0 nor 1") : undefined;
      case http2.SETTINGS_MAX_CONCURRENT_STREAMS:
        this.maximumStreams = value;
        return undefined;
      case http2.SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > http2.LARGEST_WINDOW_BYTES) return violation("FLOW_CONTROL_ERROR", "initial window too large");
        this.initialWindowBytes = value;
        return undefined;
      case http2.SETTINGS_MAX_FRAME_SIZE:
        if (value < http2.DEFAULT_MAXIMUM_FRAME_BYTES || value > http2.LARGEST_FRAME_BYTES)
          return violation("PROTOCOL_ERROR", "maximum frame size out of range");
        this.maximumFrameBytes = value;
        return undefined;
      default:
        return undefined;
    }
  }
}
