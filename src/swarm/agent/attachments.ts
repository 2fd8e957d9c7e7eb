/**
 * Plain containers in networks of the swarm (moby daemon/cluster/networks.go, executor/container/attachment.go): the node asks the manager for a place; it
 * comes as a task with an address; the container holds it until it ends.
 */
import type { Place, Places } from "../../docker/engine.ts";
import type { Network as EngineNetwork } from "../../docker/network.ts";
import { type Refusal, refuse } from "../../docker/refusal.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { formatIpv4, type Ipv4Address, parsePrefix } from "../../wire/address.ts";
import type { Network, Task } from "../api/objects.ts";
import {
  ATTACH_NETWORK,
  attachNetworkRequestShape,
  attachNetworkResponseShape,
  DETACH_NETWORK,
  detachNetworkRequestShape,
} from "../api/resource.ts";
import { networkAttachmentConfigShape } from "../api/specs.ts";
import { formatStatus } from "../grpc/status.ts";
import type { Channel } from "../manager/channel.ts";
import type { NodeNetworks } from "./node-networks.ts";
import type { Controller, StepEnd } from "./task-manager.ts";

/** A container waits so long for its place. */
const ATTACH_TIMEOUT_NS: Nanoseconds = 20 * SECOND;

export interface AttachmentSettings {
  readonly clock: Clock;
  readonly networks: NodeNetworks;
  /** The swarm's networks that are on this node. */
  readonly here: (networkId: string) => EngineNetwork | undefined;
  /** Undefined: no manager is known. */
  readonly channel: () => Channel | undefined;
}

type Answer = (answer: Place | Refusal) => void;

/** Asked for, and not here yet. */
interface Waiting {
  readonly answer: Answer;
  readonly patience: Timer;
}

export class Attachments implements Places {
  readonly #settings: AttachmentSettings;
  readonly #waiting = new Map<string, Waiting>(); // by attachment
  /** Places that came before the manager's answer did. */
  readonly #early = new Map<string, Place>();

  constructor(settings: AttachmentSettings) {
    this.#settings = settings;
  }

  request({ network, containerId, address }: Parameters<Places["request"]>[0], answer: Answer): void {
    const channel = this.#settings.channel();
    if (channel === undefined) {
      answer(refuse("unavailable", `Could not attach to network ${network}: no managers`));
      return;
    }
    const config = networkAttachmentConfigShape.make({
      target: network,
      addresses: address === undefined ? [] : [formatIpv4(address)],
    });
    const request = attachNetworkRequestShape.emit({ config, containerId });
    channel.unary(ATTACH_NETWORK, request, ATTACH_TIMEOUT_NS, (result) => {
      channel.close();
      const id = "response" in result ? attachNetworkResponseShape.parse(result.response)?.attachmentId : undefined;
      if (id !== undefined) this.#hold(id, network, answer);
      else if ("status" in result)
        answer(refuse("forbidden", `Could not attach to network ${network}: ${formatStatus(result.status)}`));
    });
  }

  #hold(id: string, network: string, answer: Answer): void {
    const early = this.#early.get(id);
    if (early !== undefined) {
      this.#early.delete(id);
      answer(early);
      return;
    }
    const patience = new Timer(this.#settings.clock, () => {
      this.#waiting.delete(id);
      this.release(id);
      answer(
        refuse(
          "unavailable",
          `attaching to network failed, make sure your network options are correct and check manager logs: context deadline exceeded (${network})`,
        ),
      );
    });
    patience.set(ATTACH_TIMEOUT_NS);
    this.#waiting.set(id, { answer, patience });
  }

  /** The container has ended: its place goes back. */
  release(attachmentId: string): void {
    const channel = this.#settings.channel();
    const request = detachNetworkRequestShape.emit({ attachmentId });
    channel?.unary(DETACH_NETWORK, request, ATTACH_TIMEOUT_NS, () => channel.close());
  }

  controllerFor(task: Task): Controller {
    return new AttachmentController(task, this.#settings, (network, address) => {
      const place = { attachmentId: task.id, network, address };
      const waiting = this.#waiting.get(task.id);
      this.#waiting.delete(task.id);
      waiting?.patience.stop();
      if (waiting !== undefined) waiting.answer(place);
      else this.#early.set(task.id, place);
    });
  }

  stop(): void {
    for (const { patience } of this.#waiting.values()) patience.stop();
    this.#waiting.clear();
    this.#early.clear();
  }
}

/** The task of a place: it is prepared when the network is here, runs while the container has it, and has nothing to stop. */
class AttachmentController implements Controller {
  readonly containerId: string;
  readonly pid = 0;
  readonly #settings: AttachmentSettings;
  readonly #came: (network: EngineNetwork, address: Ipv4Address) => void;
  #task: Task;
  #attempt: (() => void) | undefined = undefined;

  constructor(task: Task, settings: AttachmentSettings, came: (network: EngineNetwork, address: Ipv4Address) => void) {
    this.#task = task;
    this.#settings = settings;
    this.#came = came;
    this.containerId = task.spec.attachment?.containerId ?? "";
  }

  prepare(done: (end: StepEnd) => void): void {
    const { networks } = this.#settings;
    const network = this.#network();
    this.#attempt = () => {
      if (network === undefined || !networks.hasBalancer(network.id)) return;
      this.#attempt = undefined;
      const problem = networks.use(network, this.#task.id);
      done(problem === undefined ? undefined : { error: problem });
    };
    this.#attempt();
  }

  start(done: (end: StepEnd) => void): void {
    const network = this.#network();
    const here = network === undefined ? undefined : this.#settings.here(network.id);
    const address = parsePrefix(this.#task.networks[0]?.addresses[0] ?? "")?.address;
    if (here === undefined || address === undefined) {
      done({ error: `network ${network?.id ?? ""} is not on this node` });
      return;
    }
    this.#came(here, address);
    done(undefined);
  }

  wait(): void {
    // Until the manager takes it away.
  }

  shutdown(done: (end: StepEnd) => void): void {
    this.#release();
    done(undefined);
  }

  remove(done: () => void): void {
    this.#release();
    done();
  }

  update(task: Task): void {
    this.#task = task;
  }

  poke(): void {
    this.#attempt?.();
  }

  release(): void {
    this.#attempt = undefined;
  }

  portStatus(): undefined {
    return undefined;
  }

  #network(): Network | undefined {
    return this.#task.networks[0]?.network;
  }

  #release(): void {
    const network = this.#network();
    if (network !== undefined) this.#settings.networks.release(network, this.#task.id);
  }
}
