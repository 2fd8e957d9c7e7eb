/** A gRPC server on a port of an emulated host, as grpc-go's: it accepts, takes calls to the methods that were registered, and tells clients of those it lacks. */
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { MINUTE, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { CLEAR, type Security } from "./security.ts";
import { type StreamHandler, streamOfUnary, type UnaryHandler } from "./server-call.ts";
import { ServerConnection, type ServerConnectionOwner } from "./server-connection.ts";
import { type Status, status } from "./status.ts";
import { WAKE_UP_NS } from "./tcp-stream.ts";

export type { ServerCall, ServerStream, ServerStreamEvents, StreamHandler, UnaryHandler } from "./server-call.ts";

const BACKLOG = 4_096;
const DEFAULT_MAXIMUM_MESSAGE_BYTES = 4 * 1024 * 1024;
/** grpc-go's defaults: a ping after two hours of silence, twenty seconds for the answer. */
const KEEPALIVE = { timeNs: 120 * MINUTE, timeoutNs: 20 * SECOND, withoutCalls: true };
/** From the accepted connection to the client's preface. */
const GREETING_TIMEOUT_NS: Nanoseconds = 120 * SECOND;

export class GrpcServer implements ServerConnectionOwner, Waiter {
  readonly namespace: NetworkNamespace;
  readonly security: Security;
  readonly maximumMessageBytes: number;
  readonly keepalive = KEEPALIVE;
  readonly greetingTimeoutNs = GREETING_TIMEOUT_NS;
  readonly #address: Ipv4Address;
  readonly #port: number;
  readonly #handlers = new Map<string, StreamHandler>();
  readonly #connections = new Set<ServerConnection>();
  readonly #wakeUp: Timer;
  #listener: TcpSocket | undefined;

  constructor(settings: {
    readonly namespace: NetworkNamespace;
    readonly address: Ipv4Address;
    readonly port: number;
    readonly security?: Security;
    readonly maximumMessageBytes?: number;
  }) {
    this.namespace = settings.namespace;
    this.#address = settings.address;
    this.#port = settings.port;
    this.security = settings.security ?? CLEAR;
    this.maximumMessageBytes = settings.maximumMessageBytes ?? DEFAULT_MAXIMUM_MESSAGE_BYTES;
    this.#wakeUp = new Timer(settings.namespace.clock, () => this.#accept());
  }

  /** `method`: `/package.Service/Method`. The answer may be given now or later; only the first counts. */
  unary(method: string, handler: UnaryHandler): void {
    this.#handlers.set(method, streamOfUnary(handler));
  }

  stream(method: string, handler: StreamHandler): void {
    this.#handlers.set(method, handler);
  }

  /** Connections that stand. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  listen(): Errno | undefined {
    const socket = new TcpSocket(this.namespace);
    socket.reuseAddress = true;
    const problem = socket.bind(this.#address, this.#port) ?? socket.listen(BACKLOG);
    if (problem !== undefined) {
      socket.close();
      return problem;
    }
    this.#listener = socket;
    socket.changed.add(this);
    return undefined;
  }

  /** grpc-go's Stop: ends every connection, and the calls on them. */
  close(): void {
    this.#stopListening();
    for (const connection of [...this.#connections]) connection.close();
  }

  /** grpc-go's GracefulStop: takes nothing new, and lets the calls end. */
  shutdown(): void {
    this.#stopListening();
    for (const connection of [...this.#connections]) connection.shutdown();
  }

  wake(): void {
    if (!this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  // ---- For the connections

  handler(method: string): StreamHandler | Status {
    const handler = this.#handlers.get(method);
    if (handler !== undefined) return handler;
    const slash = method.lastIndexOf("/");
    if (!method.startsWith("/") || slash <= 0)
      return status("Unimplemented", `malformed method name: ${JSON.stringify(method)}`);
    const service = method.slice(1, slash);
    const known = [...this.#handlers.keys()].some((name) => name.startsWith(`/${service}/`));
    const text = known
      ? `unknown method ${method.slice(slash + 1)} for service ${service}`
      : `unknown service ${service}`;
    return status("Unimplemented", text);
  }

  ended(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  #accept(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    for (;;) {
      const socket = listener.accept();
      if (!(socket instanceof TcpSocket)) return;
      this.#connections.add(new ServerConnection(this, socket));
    }
  }

  #stopListening(): void {
    this.#wakeUp.stop();
    this.#listener?.changed.remove(this);
    this.#listener?.close();
    this.#listener = undefined;
  }
}
