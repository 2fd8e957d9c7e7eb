/**
 * The calls of a TCP socket as a blocking program makes them: `yield*` one of these, and the program sleeps until it is done. A signal ends the
 * call with EINTR, as it would end the real one.
 */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import type { Process, Wait, Wake } from "../process.ts";
import { TcpSocket } from "./tcp-socket.ts";

type Call<Answer> = Generator<Wait, Answer, Wake>;

/** connect(2): undefined when the connection stands. */
export function* connect(
  process: Process,
  socket: TcpSocket,
  address: Ipv4Address,
  port: number,
  untilNs?: Nanoseconds,
): Call<Errno | undefined> {
  const problem = socket.connect(address, port);
  if (problem !== "EINPROGRESS") return problem;
  while (socket.state === "syn-sent" || socket.state === "syn-received") {
    const interrupted = yield* wait(process, socket, untilNs);
    if (interrupted !== undefined) return interrupted;
  }
  return socket.takeError();
}

/** accept(2). */
export function* accept(process: Process, socket: TcpSocket, untilNs?: Nanoseconds): Call<TcpSocket | Errno> {
  for (;;) {
    const accepted = socket.accept();
    if (accepted instanceof TcpSocket || accepted !== "EAGAIN") return accepted;
    const interrupted = yield* wait(process, socket, untilNs);
    if (interrupted !== undefined) return interrupted;
  }
}

/** read(2): some bytes, at most `max`, or the end. */
export function* readSome(
  process: Process,
  socket: TcpSocket,
  max: number,
  untilNs?: Nanoseconds,
): Call<Uint8Array | "end" | Errno> {
  for (;;) {
    const bytes = socket.read(max);
    if (bytes !== undefined) return bytes;
    const interrupted = yield* wait(process, socket, untilNs);
    if (interrupted !== undefined) return interrupted;
  }
}

/** write(2) until everything is taken: the number of bytes, or the errno that stopped it. */
export function* writeAll(
  process: Process,
  socket: TcpSocket,
  bytes: Uint8Array,
  untilNs?: Nanoseconds,
): Call<number | Errno> {
  let written = 0;
  while (written < bytes.length) {
    const count = socket.write(bytes.subarray(written));
    if (typeof count === "number") {
      written += count;
      if (written === bytes.length) break;
    } else if (count !== "EAGAIN") {
      return count;
    }
    const interrupted = yield* wait(process, socket, untilNs);
    if (interrupted !== undefined) return interrupted;
  }
  return written;
}

/** Waits for a change; the errno when a signal or the deadline came first. */
function* wait(process: Process, socket: TcpSocket, untilNs: Nanoseconds | undefined): Call<Errno | undefined> {
  const wake = yield { queues: [socket.changed], untilNs };
  if (wake === "signal" && process.pendingSignal !== undefined) return "EINTR";
  return wake === "timeout" ? "EAGAIN" : undefined;
}
