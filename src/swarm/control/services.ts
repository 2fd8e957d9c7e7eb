/** Services in the Control service (swarmkit manager/controlapi/service.go). */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { RequestOf, ResponseOf } from "../api/control.ts";
import { type Service, serviceShape, updateStatusShape } from "../api/objects.ts";
import { type ServiceSpec, serviceSpecShape } from "../api/specs.ts";
import { type Status, status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type { Store, Transaction } from "../store/store.ts";
import { selectAnnotated } from "./filters.ts";
import { type Answered, INVALID_ARGUMENT, notFound, OUT_OF_SEQUENCE, refuse } from "./refusals.ts";
import { withDefaults } from "./service-defaults.ts";
import {
  refuseMissingFiles,
  refuseNetworks,
  refusePortConflicts,
  refuseWithoutIngress,
} from "./service-surroundings.ts";
import { modeOf, refuseServiceSpec } from "./service-validation.ts";
import { write } from "./write.ts";

const NAME_CONFLICT = "name conflicts with an existing object";

export class Services {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(store: Store, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  get({ id, insertDefaults }: RequestOf<"GetService">): Answered<ResponseOf<"GetService">> {
    if (id === "") return { status: INVALID_ARGUMENT };
    const service = this.#store.get("service", id);
    if (service === undefined) return { status: notFound("service", id) };
    return { response: { service: insertDefaults ? { ...service, spec: withDefaults(service.spec) } : service } };
  }

  list({ filters }: RequestOf<"ListServices">): ResponseOf<"ListServices"> {
    return { services: selectAnnotated(this.#store.all("service"), filters) };
  }

  create({ spec }: RequestOf<"CreateService">, done: (answer: Answered<ResponseOf<"CreateService">>) => void): void {
    const store = this.#store;
    const refused =
      spec === undefined
        ? INVALID_ARGUMENT
        : (refuseServiceSpec(spec) ??
          refuseNetworks(store, spec) ??
          refusePortConflicts(store, spec, "") ??
          refuseWithoutIngress(store, spec));
    if (spec === undefined || refused !== undefined) {
      done({ status: refused ?? INVALID_ARGUMENT });
      return;
    }
    const id = newId(this.#random);
    const isJob = spec.replicatedJob !== undefined || spec.globalJob !== undefined;
    const service = serviceShape.make({
      id,
      spec,
      specVersion: { index: 0 },
      jobStatus: isJob ? { jobIteration: { index: 0 }, lastExecution: this.#clock.nowNs } : undefined,
    });
    write(
      store,
      (tx) => {
        const refused = refuseMissingFiles(tx, spec);
        if (refused !== undefined) return { status: refused };
        if (tx.create("service", service) !== undefined)
          return refuse("AlreadyExists", `${NAME_CONFLICT}: service ${spec.annotations.name} already exists`);
        return () => ({ service: store.get("service", id) });
      },
      done,
    );
  }

  update(request: RequestOf<"UpdateService">, done: (answer: Answered<ResponseOf<"UpdateService">>) => void): void {
    const { id, version, spec } = request;
    const refused =
      id === "" || version === undefined || spec === undefined ? INVALID_ARGUMENT : refuseServiceSpec(spec);
    if (version === undefined || spec === undefined || refused !== undefined) {
      done({ status: refused ?? INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const service = tx.get("service", id);
        if (service === undefined) return { status: notFound("service", id) };
        const refused = refuseChange(tx, service, spec);
        if (refused !== undefined) return { status: refused };
        const current = { ...service, meta: { ...service.meta, version } };
        const isRollback = request.rollback === "previous";
        const changed = isRollback ? this.#rolledBack(current) : this.#changed(current, spec);
        if (changed === undefined) return refuse("FailedPrecondition", `service ${id} does not have a previous spec`);
        const stranded = refuseWithoutIngress(tx, changed.spec);
        if (stranded !== undefined) return { status: stranded };
        if (tx.update("service", changed) !== undefined) return { status: OUT_OF_SEQUENCE };
        return () => ({ service: this.#store.get("service", id) });
      },
      done,
    );
  }

  /** The version that was changed names the new spec: it is another one each time. */
  #changed(service: Service, spec: ServiceSpec): Service {
    const { jobStatus } = service;
    return {
      ...service,
      spec,
      specVersion: service.meta.version,
      previousSpec: service.spec,
      previousSpecVersion: service.specVersion,
      updateStatus: undefined,
      jobStatus:
        jobStatus === undefined
          ? undefined
          : { jobIteration: { index: jobStatus.jobIteration.index + 1 }, lastExecution: this.#clock.nowNs },
    };
  }

  #rolledBack(service: Service): Service | undefined {
    const { previousSpec } = service;
    if (previousSpec === undefined) return undefined;
    return {
      ...service,
      spec: previousSpec,
      specVersion: service.previousSpecVersion,
      previousSpec: service.spec,
      previousSpecVersion: service.specVersion,
      updateStatus: updateStatusShape.make({
        state: "rollback_started",
        message: "manually requested rollback",
        startedAt: this.#clock.nowNs,
      }),
    };
  }

  remove({ id }: RequestOf<"RemoveService">, done: (answer: Answered<ResponseOf<"RemoveService">>) => void): void {
    if (id === "") {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => (tx.remove("service", id) === undefined ? () => ({}) : { status: notFound("service", id) }),
      done,
    );
  }

  /** How many tasks there are and should be: `docker service ls`. */
  statuses({ services }: RequestOf<"ListServiceStatuses">): ResponseOf<"ListServiceStatuses"> {
    return {
      statuses: services.map((serviceId) => {
        const service = this.#store.get("service", serviceId);
        const none = { serviceId, desiredTasks: 0, runningTasks: 0, completedTasks: 0 };
        return service === undefined ? none : this.#statusOf(service);
      }),
    };
  }

  #statusOf(service: Service): ResponseOf<"ListServiceStatuses">["statuses"][number] {
    const { id, spec, jobStatus } = service;
    const iteration = jobStatus?.jobIteration.index;
    let runningTasks = 0;
    let completedTasks = 0;
    let wanted = 0;
    const mode = modeOf(spec);
    for (const task of this.#store.tasksOfService(id)) {
      if (jobStatus !== undefined && task.jobIteration?.index !== iteration) continue;
      const { state } = task.status;
      if (state === "running") runningTasks++;
      if (state === "complete") completedTasks++;
      const isWanted = mode === "globalJob" ? state !== "complete" : true;
      if (isWanted && task.desiredState === (mode === "globalJob" ? "complete" : "running")) wanted++;
    }
    const { maxConcurrent = 0, totalCompletions = 0 } = spec.replicatedJob ?? {};
    const desired = {
      replicated: spec.replicated?.replicas ?? 0,
      replicatedJob: Math.min(maxConcurrent, totalCompletions - completedTasks),
      global: wanted,
      globalJob: wanted,
    };
    const desiredTasks = mode === undefined ? 0 : Math.max(0, desired[mode]);
    return { serviceId: id, desiredTasks, runningTasks, completedTasks };
  }
}

function refuseChange(tx: Transaction, { id, spec: before }: Service, spec: ServiceSpec): Status | undefined {
  const refused = refuseNetworks(tx, spec);
  if (refused !== undefined) return refused;
  if (!isSameEndpoint(before, spec)) {
    const conflict = refusePortConflicts(tx, spec, id);
    if (conflict !== undefined) return conflict;
  }
  const missing = refuseMissingFiles(tx, spec);
  if (missing !== undefined) return missing;
  if (modeOf(spec) !== modeOf(before)) return status("Unimplemented", "service mode change is not allowed");
  if (spec.annotations.name !== before.annotations.name)
    return status("Unimplemented", "renaming services is not supported");
  return undefined;
}

/** A spec without an endpoint asks for no ports. */
function isSameEndpoint({ endpoint: a }: ServiceSpec, { endpoint: b }: ServiceSpec): boolean {
  const bytes = [a, b].map((endpoint) => serviceSpecShape.emit(serviceSpecShape.make({ endpoint })));
  return bytes[0]!.length === bytes[1]!.length && bytes[0]!.every((byte, at) => byte === bytes[1]![at]);
}
