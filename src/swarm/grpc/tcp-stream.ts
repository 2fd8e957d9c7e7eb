/**
 * A byte stream over a TCP socket of an emulated host. The program that owns it runs a moment after the kernel has woken it, as `Process` has it, so that
 * what it does never happens in the middle of a frame's way.
 */

import { type Errno, errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { ByteStream, ByteStreamEvents } from "./byte-stream.ts";

/** From the wake-up to the program's next step, as for any process. */
export const WAKE_UP_NS: Nanoseconds = 20_000;
const READ_BYTES = 65_536;
/** Go's default for every connection (net.Dialer, net.ListenConfig). */
const KEEPALIVE_NS: Nanoseconds = 15_000_000_000;

export class TcpStream implements ByteStream, Waiter {
  readonly socket: TcpSocket;
  readonly #events: ByteStreamEvents;
  readonly #wakeUp: Timer;
  #state: "connecting" | "open" | "closed";
  #queue: Uint8Array[] = [];
  #unsentBytes = 0;

  /** Connects. Refusals come as `closed`, never before this returns. */
  static connect(namespace: NetworkNamespace, address: Ipv4Address, port: number, events: ByteStreamEvents): TcpStream {
    const socket = new TcpSocket(namespace);
    const stream = new TcpStream(namespace, socket, "connecting", events);
    const problem = socket.connect(address, port);
    if (problem === "EINPROGRESS") return stream;
    stream.#failure = problem;
    stream.wake();
    return stream;
  }

  /** A connection that a listener has accepted. */
  static accepted(namespace: NetworkNamespace, socket: TcpSocket, events: ByteStreamEvents): TcpStream {
    const stream = new TcpStream(namespace, socket, "connecting", events);
    stream.wake();
    return stream;
  }

  #failure: Errno | undefined;

  private constructor(
    namespace: NetworkNamespace,
    socket: TcpSocket,
    state: "connecting" | "open",
    events: ByteStreamEvents,
  ) {
    this.socket = socket;
    this.#state = state;
    this.#events = events;
    this.#wakeUp = new Timer(namespace.clock, () => this.#run());
    socket.noDelay = true;
    socket.setKeepalive(true, KEEPALIVE_NS, KEEPALIVE_NS);
    socket.changed.add(this);
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  wake(): void {
    if (this.#state !== "closed" && !this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  write(bytes: Uint8Array): void {
    if (this.#state === "closed" || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#unsentBytes += bytes.length;
    if (this.#state === "open") this.#send();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#wakeUp.stop();
    this.socket.changed.remove(this);
    this.socket.close();
    this.#queue = [];
    this.#unsentBytes = 0;
  }

  #run(): void {
    if (this.#state === "connecting" && !this.#connected()) return;
    const waited = this.#unsentBytes > 0;
    if (!this.#send()) return;
    if (waited && this.#unsentBytes === 0) this.#events.drained();
    this.#receive();
  }

  /** False: not yet, or never. */
  #connected(): boolean {
    const state = this.socket.state;
    if (this.#failure === undefined && (state === "syn-sent" || state === "syn-received")) return false;
    const error = this.#failure ?? this.socket.takeError();
    if (error !== undefined) {
      this.#end(`connect: ${goText(error)}`);
      return false;
    }
    this.#state = "open";
    this.#events.opened();
    return this.#isOpen();
  }

  /** False: it has ended. */
  #send(): boolean {
    while (this.#queue.length > 0 && this.#isOpen()) {
      const bytes = this.#queue[0]!;
      const count = this.socket.write(bytes);
      if (count === "EAGAIN") break;
      if (typeof count === "string") {
        // Told at the next step: whoever writes is not ready for the end.
        this.#failure = count;
        this.#queue = [];
        this.#unsentBytes = 0;
        this.wake();
        break;
      }
      this.#unsentBytes -= count;
      if (count === bytes.length) this.#queue.shift();
      else this.#queue[0] = bytes.subarray(count);
    }
    return this.#isOpen();
  }

  #receive(): void {
    while (this.#isOpen()) {
      const bytes = this.socket.read(READ_BYTES);
      if (bytes === undefined) break;
      if (bytes === "end" && this.#failure === undefined) {
        this.#end("EOF");
        return;
      }
      if (bytes === "end") break;
      if (typeof bytes === "string") {
        this.#end(this.#operation("read", bytes));
        return;
      }
      this.#events.received(bytes);
    }
    if (this.#isOpen() && this.#failure !== undefined) this.#end(this.#operation("write", this.#failure));
  }

  #isOpen(): boolean {
    return this.#state === "open";
  }

  /** `read tcp 10.0.0.2:40000->10.0.0.3:2377: read: connection reset by peer`. */
  #operation(call: "read" | "write", error: Errno): string {
    const { localAddress, localPort, remoteAddress, remotePort } = this.socket;
    const local = `${formatIpv4(localAddress)}:${localPort}`;
    return `${call} tcp ${local}->${formatIpv4(remoteAddress)}:${remotePort}: ${call}: ${goText(error)}`;
  }

  #end(reason: string): void {
    this.close();
    this.#events.closed(reason);
  }
}

/** Go's texts are the kernel's in lower case. */
function goText(error: Errno): string {
  return errorText(error).toLowerCase();
}
