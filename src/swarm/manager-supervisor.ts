/**
 * Runs a manager on a node while the node's certificate says that it is one (swarmkit node.go, superviseManager): starts it when the node is promoted, stops it
 * and forgets its data when it is demoted or removed from raft.
 */
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { NodeRole } from "./api/specs.ts";
import { MANAGER_SUBSYSTEM } from "./manager/first-objects.ts";
import type { Manager, ManagerEvents } from "./manager/manager.ts";
import type { NodeDisk } from "./node-disk.ts";

/** After the removal from raft, the certificate of a worker should come within this time. */
const ROLE_CHANGE_TIMEOUT_NS: Nanoseconds = 16 * SECOND;

export interface SupervisorSettings {
  readonly clock: Clock;
  readonly disk: NodeDisk;
  newManager(events: ManagerEvents): Manager;
  /** Asks for another certificate: the role may have changed. */
  renewCertificate(): void;
  started(): void;
  failed(error: string): void;
}

export class ManagerSupervisor {
  readonly #settings: SupervisorSettings;
  readonly #roleTimer: Timer;
  #role: NodeRole = "worker";
  #manager: Manager | undefined;
  #hasStarted = false;
  #stopWatch: () => void = () => {};
  /** Removed from raft: how often the wait for a worker's certificate was in vain. */
  #waits = 0;

  constructor(settings: SupervisorSettings) {
    this.#settings = settings;
    this.#roleTimer = new Timer(settings.clock, () => this.#roleUnchanged());
  }

  /** Undefined while the node is a worker. */
  get manager(): Manager | undefined {
    return this.#manager;
  }

  /** It is there, and answers this node's programs. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  setRole(role: NodeRole): void {
    if (role === this.#role) return;
    this.#role = role;
    this.#roleTimer.stop();
    this.#waits = 0;
    if (role === "manager") this.#start();
    else this.#stopForGood();
  }

  /** The power is off: the data stays. */
  stop(): void {
    this.#roleTimer.stop();
    this.#stopWatch();
    this.#manager?.stop();
    this.#manager = undefined;
    this.#hasStarted = false;
  }

  #start(): void {
    const manager = this.#settings.newManager({
      started: () => {
        this.#hasStarted = true;
        this.#watchLock();
        this.#settings.started();
      },
      failed: (error) => this.#settings.failed(error),
      removedFromRaft: () => this.#removed(manager),
    });
    this.#manager = manager;
    manager.start();
  }

  /** No manager any more: raft's data would only mislead the next one. */
  #stopForGood(): void {
    this.stop();
    this.#settings.disk.manager.clear();
    this.#settings.disk.lockKey = undefined;
  }

  #removed(manager: Manager): void {
    if (manager !== this.#manager) return;
    this.#stopForGood();
    this.#waits = 0;
    this.#roleTimer.set(ROLE_CHANGE_TIMEOUT_NS);
  }

  /** The first time it may be that nobody has told us; the second time we must have been promoted again. */
  #roleUnchanged(): void {
    if (this.#waits++ === 0) {
      this.#settings.renewCertificate();
      this.#roleTimer.set(ROLE_CHANGE_TIMEOUT_NS);
    } else this.#start();
  }

  /** The cluster says whether managers are locked, and with which key. */
  #watchLock(): void {
    const store = this.#manager?.store;
    if (store === undefined) return;
    const look = () => {
      const cluster = store.cluster;
      if (cluster === undefined) return;
      const key = cluster.unlockKeys.find(({ subsystem }) => subsystem === MANAGER_SUBSYSTEM)?.key;
      this.#settings.disk.lockKey = cluster.spec.autoLockManagers ? key : undefined;
    };
    look();
    this.#stopWatch = store.watch((changes) => {
      if (changes.some(({ kind }) => kind === "cluster")) look();
    });
  }
}
