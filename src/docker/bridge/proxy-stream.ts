/**
 * One TCP connection through the userland proxy (moby cmd/docker-proxy/tcp_proxy_linux.go): what comes from the client goes to the container, and the other way
 * round; an end of one direction is passed on, an error ends both.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address } from "../../wire/address.ts";

/** io.Copy's buffer. */
const PIECE_BYTES = 32_768;
/** From a segment's arrival to the proxy's hearing of it, as for any process. */
const WAKE_UP_NS = 20_000;
/** What Go sets on every TCP connection. */
const KEEPALIVE_NS = 15 * SECOND;
const KEEPALIVE_COUNT = 9;

/** One direction. */
interface Flow {
  readonly from: TcpSocket;
  readonly to: TcpSocket;
  /** Read, and not yet taken by `to`. */
  rest: Uint8Array | undefined;
  ended: boolean;
}

export class ProxyStream implements Waiter {
  readonly #client: TcpSocket;
  readonly #server: TcpSocket;
  readonly #flows: readonly Flow[];
  readonly #soon: Timer;
  readonly #ended: (stream: ProxyStream) => void;
  #connected = false;
  #closed = false;

  /** `client` has been accepted; `ended` is called once. */
  constructor(options: {
    readonly namespace: NetworkNamespace;
    readonly client: TcpSocket;
    readonly address: Ipv4Address;
    readonly port: number;
    readonly ended: (stream: ProxyStream) => void;
  }) {
    this.#client = options.client;
    this.#server = new TcpSocket(options.namespace);
    this.#ended = options.ended;
    this.#soon = new Timer(options.namespace.clock, () => this.#work());
    this.#flows = [
      { from: this.#client, to: this.#server, rest: undefined, ended: false },
      { from: this.#server, to: this.#client, rest: undefined, ended: false },
    ];
    for (const socket of [this.#client, this.#server]) {
      socket.noDelay = true;
      socket.setKeepalive(true, KEEPALIVE_NS, KEEPALIVE_NS, KEEPALIVE_COUNT);
      socket.changed.add(this);
    }
    const problem = this.#server.connect(options.address, options.port);
    if (problem !== "EINPROGRESS") this.close();
  }

  get closed(): boolean {
    return this.#closed;
  }

  wake(): void {
    if (!this.#soon.armed && !this.#closed) this.#soon.set(WAKE_UP_NS);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#soon.stop();
    for (const socket of [this.#client, this.#server]) {
      socket.changed.remove(this);
      socket.close();
    }
    this.#ended(this);
  }

  #work(): void {
    if (!this.#connected) {
      if (this.#server.state === "syn-sent") return;
      if (this.#server.error !== undefined || this.#server.state === "closed") {
        this.close();
        return;
      }
      this.#connected = true;
    }
    for (const flow of this.#flows) if (!flow.ended && !this.#carry(flow)) return;
    if (this.#flows.every(({ ended }) => ended)) this.close();
  }

  /** Carries what can be carried now; false: the connection broke, and is closed. */
  #carry(flow: Flow): boolean {
    for (;;) {
      if (flow.rest === undefined) {
        const bytes = flow.from.read(PIECE_BYTES);
        if (bytes === undefined) return true;
        if (bytes === "end") {
          flow.ended = true;
          flow.to.shutdown("write");
          return true;
        }
        if (typeof bytes === "string") return this.#broke();
        flow.rest = bytes;
      }
      const written = flow.to.write(flow.rest);
      if (written === "EAGAIN") return true;
      if (typeof written === "string") return this.#broke();
      flow.rest = written < flow.rest.length ? flow.rest.subarray(written) : undefined;
    }
  }

  #broke(): false {
    this.close();
    return false;
  }
}
