/** The calls that only the leader answers, and the components that do while this manager leads. */

import { refuseCaller } from "../ca/caller.ts";
import type { Caller } from "../ca/identity.ts";
import { status } from "../grpc/status.ts";
import type {
  Answer,
  LeaderComponent,
  LeaderContext,
  LeaderMethod,
  LeaderWork,
  StreamCall,
  StreamCallEvents,
} from "./leader-work.ts";

interface Service {
  readonly work: LeaderWork;
  readonly method: LeaderMethod;
}

const SILENT: StreamCallEvents = { message() {}, halfClosed() {}, cancelled() {} };

export class LeaderServices {
  readonly #works: readonly LeaderWork[];
  readonly #services = new Map<string, Service>();
  readonly #running = new Map<LeaderWork, LeaderComponent>();
  readonly #clusterId: string;

  constructor(works: readonly LeaderWork[], clusterId: string) {
    this.#works = works;
    this.#clusterId = clusterId;
    for (const work of works) for (const method of work.methods) this.#services.set(method.method, { work, method });
  }

  get methods(): readonly LeaderMethod[] {
    return [...this.#services.values()].map(({ method }) => method);
  }

  /** In the order in which they were given. */
  start(context: LeaderContext): void {
    for (const work of this.#works) {
      const random = context.random.fork(work.name);
      if (!this.#running.has(work)) this.#running.set(work, work.start({ ...context, random }));
    }
  }

  stop(): void {
    for (const component of this.#running.values()) component.stop();
    this.#running.clear();
  }

  /** `isTrusted`: it comes from this node's own programs. */
  unary(method: string, request: Uint8Array, caller: Caller, isTrusted: boolean, answer: Answer): void {
    const service = this.#services.get(method);
    const refused = this.#refuse(service, caller, isTrusted);
    const component = service === undefined ? undefined : this.#running.get(service.work);
    if (refused !== undefined) answer({ status: refused });
    else if (component?.unary === undefined) answer({ status: stopped(service) });
    else component.unary(method, request, caller, answer);
  }

  stream(method: string, call: StreamCall, isTrusted: boolean): StreamCallEvents {
    const service = this.#services.get(method);
    const refused = this.#refuse(service, call.caller, isTrusted);
    const component = service === undefined ? undefined : this.#running.get(service.work);
    if (refused === undefined && component?.stream !== undefined) return component.stream(method, call);
    call.end(refused ?? stopped(service));
    return SILENT;
  }

  #refuse(service: Service | undefined, caller: Caller, isTrusted: boolean) {
    if (service === undefined) return status("Unimplemented", "unknown method");
    return isTrusted ? undefined : refuseCaller(caller, service.method.allowed, this.#clusterId);
  }
}

function stopped(service: Service | undefined) {
  return status("Aborted", `${service?.work.name ?? "manager"} is stopped`);
}
