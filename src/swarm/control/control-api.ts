/**
 * The Control service of the leader (swarmkit manager/controlapi): what users want of nodes, services, tasks, networks, secrets, configs and the cluster. Other
 * managers pass their users' calls on to it.
 */
import {
  CONTROL,
  CONTROL_METHODS,
  type ControlMethod,
  controlMethod,
  type RequestOf,
  type ResponseOf,
} from "../api/control.ts";
import type { Caller } from "../ca/identity.ts";
import { status } from "../grpc/status.ts";
import type { Answer, LeaderComponent, LeaderContext, LeaderWork } from "../manager/leader-work.ts";
import { Clusters } from "./clusters.ts";
import { Networks } from "./networks.ts";
import { Nodes } from "./nodes.ts";
import type { Answered } from "./refusals.ts";
import { FileObjects } from "./secrets.ts";
import { Services } from "./services.ts";
import { Tasks } from "./tasks.ts";

export const CONTROL_WORK: LeaderWork = {
  name: "control API",
  methods: CONTROL_METHODS.map((name) => ({ method: controlMethod(name), kind: "unary", allowed: "manager" })),
  start: (context) => new ControlApi(context),
};

type Done<M extends ControlMethod> = (answer: Answered<ResponseOf<M>>) => void;
type Handlers = { readonly [M in ControlMethod]: (request: RequestOf<M>, done: Done<M>) => void };

const NAMES: ReadonlyMap<string, ControlMethod> = new Map(CONTROL_METHODS.map((name) => [controlMethod(name), name]));

export class ControlApi implements LeaderComponent {
  readonly #handlers: Handlers;
  #isStopped = false;

  constructor({ store, clock, random, managers }: LeaderContext) {
    const nodes = new Nodes(store, clock, managers);
    const services = new Services(store, clock, random.fork("services"));
    const tasks = new Tasks(store);
    const networks = new Networks(store, random.fork("networks"));
    const clusters = new Clusters(store, random.fork("keys"));
    const secrets = new FileObjects("secret", store, random.fork("secrets"));
    const configs = new FileObjects("config", store, random.fork("configs"));
    this.#handlers = {
      GetNode: (request, done) => done(nodes.get(request)),
      ListNodes: (request, done) => done({ response: nodes.list(request) }),
      UpdateNode: (request, done) => nodes.update(request, done),
      RemoveNode: (request, done) => nodes.remove(request, done),
      GetTask: (request, done) => done(tasks.get(request)),
      ListTasks: (request, done) => done({ response: tasks.list(request) }),
      RemoveTask: (request, done) => tasks.remove(request, done),
      GetService: (request, done) => done(services.get(request)),
      ListServices: (request, done) => done({ response: services.list(request) }),
      CreateService: (request, done) => services.create(request, done),
      UpdateService: (request, done) => services.update(request, done),
      RemoveService: (request, done) => services.remove(request, done),
      ListServiceStatuses: (request, done) => done({ response: services.statuses(request) }),
      GetNetwork: (request, done) => done(networks.get(request)),
      ListNetworks: (request, done) => done({ response: networks.list(request) }),
      CreateNetwork: (request, done) => networks.create(request, done),
      RemoveNetwork: (request, done) => networks.remove(request, done),
      GetCluster: (request, done) => done(clusters.get(request)),
      ListClusters: (request, done) => done({ response: clusters.list(request) }),
      UpdateCluster: (request, done) => clusters.update(request, done),
      GetSecret: ({ id }, done) => done(answered(secrets.get(id), (secret) => ({ secret }))),
      ListSecrets: (request, done) => done({ response: { secrets: secrets.list(request) } }),
      CreateSecret: ({ spec }, done) =>
        secrets.create(spec, (answer) => done(answered(answer, (secret) => ({ secret })))),
      UpdateSecret: (request, done) =>
        secrets.update(request, (answer) => done(answered(answer, (secret) => ({ secret })))),
      RemoveSecret: ({ id }, done) => secrets.remove(id, done),
      GetConfig: ({ id }, done) => done(answered(configs.get(id), (config) => ({ config }))),
      ListConfigs: (request, done) => done({ response: { configs: configs.list(request) } }),
      CreateConfig: ({ spec }, done) =>
        configs.create(spec, (answer) => done(answered(answer, (config) => ({ config })))),
      UpdateConfig: (request, done) =>
        configs.update(request, (answer) => done(answered(answer, (config) => ({ config })))),
      RemoveConfig: ({ id }, done) => configs.remove(id, done),
    };
  }

  stop(): void {
    this.#isStopped = true;
  }

  unary(method: string, request: Uint8Array, _caller: Caller, answer: Answer): void {
    const name = NAMES.get(method);
    if (name === undefined) answer({ status: status("Unimplemented", `unknown method ${method}`) });
    else if (this.#isStopped) answer({ status: status("Aborted", "control API is stopped") });
    else this.#handle(name, request, answer);
  }

  #handle<M extends ControlMethod>(name: M, bytes: Uint8Array, answer: Answer): void {
    const { request: requestShape, response: responseShape } = CONTROL[name];
    const request = requestShape.parse(bytes) as RequestOf<M> | undefined;
    if (request === undefined) {
      answer({ status: status("Internal", "grpc: error unmarshalling request") });
      return;
    }
    this.#handlers[name](request, (result) => {
      if ("status" in result) answer(result);
      else answer({ response: (responseShape as { emit(message: ResponseOf<M>): Uint8Array }).emit(result.response) });
    });
  }
}

function answered<T, U>(answer: Answered<T>, wrap: (value: T) => U): Answered<U> {
  return "status" in answer ? answer : { response: wrap(answer.response) };
}
