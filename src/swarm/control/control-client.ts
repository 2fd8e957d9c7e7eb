/**
 * The API of the cluster as dockerd uses it on a manager (moby daemon/cluster/helpers.go): calls on its own manager, 20 seconds at most each, and the search for
 * an object by id, by name, by the beginning of its id.
 */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { CONTROL, type ControlMethod, controlMethod, type RequestOf, type ResponseOf } from "../api/control.ts";
import type { Config, Network, Node, Secret, Service, Task } from "../api/objects.ts";
import { formatStatus, type Status, status } from "../grpc/status.ts";
import type { Cancel, Channel } from "../manager/channel.ts";

const TIMEOUT_NS: Nanoseconds = 20 * SECOND;

/** `error`: in dockerd's words, without the client's prefix. */
export type Reply<T> = { readonly value: T } | { readonly error: string };
/** One call: how it is begun; the answer ends it. */
export type Call<T> = (done: (reply: Reply<T>) => void) => Cancel;

export interface Found {
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
  readonly secret: Secret;
  readonly config: Config;
}

/** A search: each step is a call that may find one object or several. */
type Step<T> = (done: (found: readonly T[] | Status) => void) => Cancel;

export class ControlClient {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  call<M extends ControlMethod>(name: M, request: Partial<RequestOf<M>>): Call<ResponseOf<M>> {
    return (done) =>
      this.#call(name, request, (answer) => {
        done("code" in answer ? { error: formatStatus(answer) } : { value: answer.response });
      });
  }

  /** By whole id, else by whole name, else by the beginning of the id; the last answer's error is told. */
  find<K extends keyof Found>(kind: K, name: string, insertDefaults = false): Call<Found[K]> {
    return (done) => {
      let cancel: Cancel = () => {};
      const steps = this.#steps(kind, name, insertDefaults);
      const next = (at: number) => {
        cancel = steps[at]!((found) => {
          const isLast = at === steps.length - 1;
          if (!isLast && ("code" in found || found.length === 0)) next(at + 1);
          else if ("code" in found) done({ error: formatStatus(found) });
          else if (found.length === 0) done({ error: `${kind} ${name} not found` });
          else if (found.length > 1) done({ error: `${kind} ${name} is ambiguous (${found.length} matches found)` });
          else done({ value: found[0]! });
        });
      };
      next(0);
      return () => cancel();
    };
  }

  #steps<K extends keyof Found>(kind: K, name: string, insertDefaults: boolean): Step<Found[K]>[] {
    const get = GETTERS[kind];
    const noFilters = { names: [], idPrefixes: [], labels: new Map(), namePrefixes: [] };
    const list =
      (filters: { names?: readonly string[]; idPrefixes?: readonly string[] }): Step<Found[K]> =>
      (done) =>
        this.#call(get.list, { filters: { ...noFilters, ...get.more, ...filters } } as never, (answer) =>
          done("code" in answer ? answer : (get.all(answer.response as never) as readonly Found[K][])),
        );
    const one: Step<Found[K]> = (done) =>
      this.#call(get.get, { id: name, insertDefaults } as never, (answer) => {
        if ("code" in answer) done(answer);
        else {
          const object = get.one(answer.response as never) as Found[K] | undefined;
          done(object === undefined ? [] : [object]);
        }
      });
    // Defaults are put in by the call that gets one object: what a list finds is asked for again by its id.
    const again =
      (step: Step<Found[K]>): Step<Found[K]> =>
      (done) =>
        step((found) => {
          if ("code" in found || found.length !== 1 || !insertDefaults) done(found);
          else
            this.find(
              kind,
              found[0]!.id,
              true,
            )((reply) => done("value" in reply ? [reply.value] : status("NotFound", reply.error)));
        });
    return [one, again(list({ names: [name] })), again(list({ idPrefixes: [name] }))];
  }

  #call<M extends ControlMethod>(
    name: M,
    request: Partial<RequestOf<M>>,
    done: (answer: { readonly response: ResponseOf<M> } | Status) => void,
  ): Cancel {
    const { request: requestShape, response: responseShape } = CONTROL[name];
    const shape = requestShape as { make(given: object): unknown; emit(message: unknown): Uint8Array };
    const bytes = shape.emit(shape.make(request));
    return this.#channel.unary(controlMethod(name), bytes, TIMEOUT_NS, (result) => {
      if ("status" in result) {
        done(result.status);
        return;
      }
      const response = responseShape.parse(result.response) as ResponseOf<M> | undefined;
      done(
        response === undefined ? status("Internal", "grpc: failed to unmarshal the received message") : { response },
      );
    });
  }
}

interface Getter {
  readonly get: ControlMethod;
  readonly list: ControlMethod;
  readonly more: object;
  one(response: never): unknown;
  all(response: never): unknown;
}

const GETTERS: { readonly [K in keyof Found]: Getter } = {
  node: {
    get: "GetNode",
    list: "ListNodes",
    more: {},
    one: ({ node }: ResponseOf<"GetNode">) => node,
    all: ({ nodes }: ResponseOf<"ListNodes">) => nodes,
  },
  service: {
    get: "GetService",
    list: "ListServices",
    more: {},
    one: ({ service }: ResponseOf<"GetService">) => service,
    all: ({ services }: ResponseOf<"ListServices">) => services,
  },
  task: {
    get: "GetTask",
    list: "ListTasks",
    more: { serviceIds: [], nodeIds: [], upToDate: false },
    one: ({ task }: ResponseOf<"GetTask">) => task,
    all: ({ tasks }: ResponseOf<"ListTasks">) => tasks,
  },
  network: {
    get: "GetNetwork",
    list: "ListNetworks",
    more: {},
    one: ({ network }: ResponseOf<"GetNetwork">) => network,
    all: ({ networks }: ResponseOf<"ListNetworks">) => networks,
  },
  secret: {
    get: "GetSecret",
    list: "ListSecrets",
    more: {},
    one: ({ secret }: ResponseOf<"GetSecret">) => secret,
    all: ({ secrets }: ResponseOf<"ListSecrets">) => secrets,
  },
  config: {
    get: "GetConfig",
    list: "ListConfigs",
    more: {},
    one: ({ config }: ResponseOf<"GetConfig">) => config,
    all: ({ configs }: ResponseOf<"ListConfigs">) => configs,
  },
};
