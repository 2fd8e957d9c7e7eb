/**
 * Places for plain containers in the swarm's networks (swarmkit manager/resourceapi): each is a task of its own kind on the node that asks, which
 * the allocator gives an address.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { taskShape } from "../api/objects.ts";
import {
  ATTACH_NETWORK,
  attachNetworkRequestShape,
  attachNetworkResponseShape,
  DETACH_NETWORK,
  detachNetworkRequestShape,
  detachNetworkResponseShape,
} from "../api/resource.ts";
import { taskSpecShape } from "../api/specs.ts";
import type { Caller } from "../ca/identity.ts";
import { status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type { Answer, LeaderComponent, LeaderContext, LeaderWork } from "../manager/leader-work.ts";
import type { Store } from "../store/store.ts";

class ResourceAllocator implements LeaderComponent {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ store, clock, random }: LeaderContext) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random.fork("attachments");
  }

  stop(): void {}

  unary(method: string, request: Uint8Array, caller: Caller, answer: Answer): void {
    if (method === ATTACH_NETWORK) this.#attach(request, caller, answer);
    else this.#detach(request, answer);
  }

  #attach(bytes: Uint8Array, caller: Caller, answer: Answer): void {
    const request = attachNetworkRequestShape.parse(bytes);
    const config = request?.config;
    const nodeId = caller.identity?.nodeId ?? "";
    if (request === undefined || config === undefined) {
      answer({ status: status("InvalidArgument", "invalid argument") });
      return;
    }
    const network = this.#store.get("network", config.target) ?? this.#store.byName("network", config.target);
    if (network === undefined) {
      answer({ status: status("NotFound", `network ${config.target} not found`) });
      return;
    }
    if (!network.spec.attachable) {
      answer({ status: status("PermissionDenied", `network ${config.target} not manually attachable`) });
      return;
    }
    const empty = taskShape.make();
    const id = newId(this.#random);
    const task = {
      ...empty,
      id,
      nodeId,
      spec: taskSpecShape.make({
        attachment: { containerId: request.containerId },
        networks: [{ ...config, target: network.id }],
      }),
      status: { ...empty.status, timestamp: this.#clock.nowNs, message: "created" },
      desiredState: "running" as const,
    };
    this.#store.update(
      (tx) => void tx.create("task", task),
      (outcome) => {
        if (outcome === "committed") answer({ response: attachNetworkResponseShape.emit({ attachmentId: id }) });
        else answer({ status: status("Unavailable", outcome) });
      },
    );
  }

  #detach(bytes: Uint8Array, answer: Answer): void {
    const request = detachNetworkRequestShape.parse(bytes);
    const id = request?.attachmentId ?? "";
    this.#store.update(
      (tx) => void tx.remove("task", id),
      () => answer({ response: detachNetworkResponseShape.emit({}) }),
    );
  }
}

export const RESOURCE_ALLOCATOR_WORK: LeaderWork = {
  name: "resource allocator",
  methods: [
    { method: ATTACH_NETWORK, kind: "unary", allowed: "node" },
    { method: DETACH_NETWORK, kind: "unary", allowed: "node" },
  ],
  start: (context) => new ResourceAllocator(context),
};
