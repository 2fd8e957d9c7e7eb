/** The verbs `listen` and `connect` of netop.py: a connection, and steps to do on it (`send:N recv:N sleep:MS eof shut close rst`). */
import type { CommandContext } from "../../commands/word.ts";
import { type Errno, errorText } from "../../linux/errno.ts";
import { type Process, type Program, sleep, type Wait, type Wake } from "../../linux/process.ts";
import { accept, connect, readSome, writeAll } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { MILLISECOND, SECOND } from "../../sim/time.ts";
import { formatIpv4 } from "../../wire/address.ts";
import { counting, endpoint, usage } from "./netop-arguments.ts";

const READ_BYTES = 65_536;

/** `listen IP:PORT [rcvbuf:N] steps…`: serves one connection after the other, for ever. */
export function* tcpListen(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [at, ...given] = args;
  const local = endpoint(at);
  if (local === undefined) return usage(process, "listen");
  const socket = new TcpSocket(namespace);
  process.atExit(() => socket.close());
  socket.reuseAddress = true;
  const limit = given[0]?.startsWith("rcvbuf:") === true ? Number(given[0].slice(7)) : undefined;
  if (limit !== undefined) socket.receiveBufferBytes = limit;
  const steps = limit === undefined ? given : given.slice(1);
  const problem = socket.bind(local.address, local.port) ?? socket.listen(16);
  if (problem !== undefined) return failed(process, problem);
  for (;;) {
    const accepted = yield* accept(process, socket);
    if (typeof accepted === "string") return failed(process, accepted);
    process.stdout.write(`accepted ${formatIpv4(accepted.remoteAddress)} ${accepted.remotePort}\n`);
    const broken = yield* script(process, accepted, steps);
    if (broken === "EINTR") return 143;
    if (broken !== undefined) process.stdout.write(`tcp: ${errorText(broken)}\n`);
    accepted.close();
  }
}

/** `connect SRC:PORT DST:PORT steps…` */
export function* tcpConnect(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [from, to, ...steps] = args;
  const source = endpoint(from);
  const destination = endpoint(to);
  if (source === undefined || destination === undefined) return usage(process, "connect");
  const socket = new TcpSocket(namespace);
  process.atExit(() => socket.close());
  socket.reuseAddress = true;
  const bound = socket.bind(source.address, source.port);
  if (bound !== undefined) return failed(process, bound);
  let problem = yield* connect(process, socket, destination.address, destination.port);
  if (problem === undefined) {
    process.stdout.write("connected\n");
    problem = yield* script(process, socket, steps);
  }
  if (problem !== undefined) process.stdout.write(`tcp: ${errorText(problem)}\n`);
  return 0;
}

/** Does the steps; the errno that ended them early. */
function* script(
  process: Process,
  socket: TcpSocket,
  steps: readonly string[],
): Generator<Wait, Errno | undefined, Wake> {
  for (const step of steps) {
    const [name, ...values] = step.split(":");
    const value = Number(values[0] ?? "0");
    if (name === "send") {
      const written = yield* writeAll(process, socket, counting(value));
      if (typeof written === "string") return written;
    } else if (name === "recv" || name === "eof") {
      const problem = yield* receive(process, socket, name === "recv" ? value : undefined);
      if (problem === "end") return undefined;
      if (problem !== undefined) return problem;
    } else if (name === "sleep") {
      if (!(yield* sleep(process, Math.round(value * MILLISECOND)))) return "EINTR";
    } else if (name === "shut") {
      const problem = socket.shutdown("write");
      if (problem !== undefined) return problem;
    } else if (name === "nodelay") {
      socket.noDelay = true;
    } else if (name === "keepalive") {
      const [idle = 0, interval = 0, count = 0] = values.map(Number);
      socket.setKeepalive(true, idle * SECOND, interval * SECOND, count);
    } else if (name === "rst") {
      socket.abortOnClose = true;
      socket.close();
      return undefined;
    } else if (name === "close") {
      socket.close();
      return undefined;
    }
  }
  return undefined;
}

/** `recv:N` reads N bytes, `eof` (undefined) all until the end; "end" when it came too early. */
function* receive(
  process: Process,
  socket: TcpSocket,
  wanted: number | undefined,
): Generator<Wait, Errno | "end" | undefined, Wake> {
  let received = 0;
  while (wanted === undefined || received < wanted) {
    const bytes = yield* readSome(process, socket, wanted === undefined ? READ_BYTES : wanted - received);
    if (bytes === "end") {
      if (wanted !== undefined) {
        process.stdout.write("early end\n");
        return "end";
      }
      process.stdout.write(`received ${received} then end\n`);
      return undefined;
    }
    if (typeof bytes === "string") return bytes;
    received += bytes.length;
  }
  process.stdout.write(`received ${received}\n`);
  return undefined;
}

function failed(process: Process, problem: Errno): number {
  process.stderr.write(`OSError: ${errorText(problem)}\n`);
  return 1;
}
