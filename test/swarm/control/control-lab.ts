/** A leader's Control service on a store without raft, and a client whose calls reach it at once. */
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import {
  CONTROL_METHODS,
  type ControlMethod,
  type RequestOf,
  type ResponseOf,
} from "../../../src/swarm/api/control.ts";
import { type ManagerStatus, networkShape } from "../../../src/swarm/api/objects.ts";
import {
  containerSpecShape,
  networkSpecShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../../../src/swarm/api/specs.ts";
import type { Caller } from "../../../src/swarm/ca/identity.ts";
import { ControlApi } from "../../../src/swarm/control/control-api.ts";
import { type Call, ControlClient } from "../../../src/swarm/control/control-client.ts";
import type { Channel } from "../../../src/swarm/manager/channel.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";
import type { Ipv4Address } from "../../../src/wire/address.ts";

const CALLER: Caller = { identity: undefined, address: 0 as Ipv4Address, forwardedBy: undefined };

export class ControlLab {
  readonly simulation = new Simulation(new Random("control"));
  readonly store = new Store({ clock: this.simulation, proposer: new ImmediateProposer() });
  readonly managers = new Map<string, ManagerStatus>();
  canRemoveManager = true;
  readonly api: ControlApi;
  readonly client: ControlClient;
  calls = 0;

  constructor() {
    this.api = new ControlApi({
      store: this.store,
      clock: this.simulation,
      random: new Random("control"),
      clusterId: "cluster",
      nodeId: "node",
      managers: {
        managers: this.managers,
        canRemoveManager: () => this.canRemoveManager,
        watchManagers: () => () => undefined,
      },
    });
    const unary: Channel["unary"] = (method, request, _timeoutNs, done) => {
      this.calls++;
      this.api.unary(method, request, CALLER, done);
      return () => undefined;
    };
    this.client = new ControlClient({ unary, stream: () => expectNone(), close: () => undefined });
  }

  /** What the call comes to: its answer, or the error's text. */
  ask<T>(call: Call<T>): T | string {
    let answer: T | string = "no answer";
    call((reply) => {
      answer = "value" in reply ? reply.value : reply.error;
    });
    return answer;
  }

  try<M extends ControlMethod>(name: M, request: Partial<RequestOf<M>>): ResponseOf<M> | string {
    return this.ask(this.client.call(name, request));
  }

  /** A call that must succeed. */
  do<M extends ControlMethod>(name: M, request: Partial<RequestOf<M>>): ResponseOf<M> {
    const answer = this.try(name, request);
    if (typeof answer === "string") throw new Error(`${name}: ${answer}`);
    return answer;
  }

  addIngress(): string {
    const spec = networkSpecShape.make({ annotations: { name: "ingress", labels: new Map() }, ingress: true });
    this.store.update((tx) => void tx.create("network", networkShape.make({ id: "ingressid", spec })));
    return "ingressid";
  }
}

function expectNone(): never {
  throw new Error("the client streams nothing");
}

export function serviceSpec(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return serviceSpecShape.make({
    annotations: { name, labels: new Map() },
    replicated: { replicas: 1 },
    ...more,
    task: taskSpecShape.make({ container: containerSpecShape.make({ image: "nginx" }), ...more.task }),
  });
}

export const ALL_METHODS = CONTROL_METHODS;
