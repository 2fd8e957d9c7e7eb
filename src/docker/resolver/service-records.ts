/**
 * The names of one network on one node (libnetwork's svcInfo): which addresses a name stands for, and which name an address goes back to. The same
 * address may be added under one name for several causes (a task, its service, an alias); each is a record, and goes with its cause.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import type { AddressFamily, NameAnswer, NameSource, ServiceTarget } from "./name-source.ts";

interface NameRecord {
  readonly address: Ipv4Address;
  /** The endpoint or service that it comes from. */
  readonly cause: string;
}

interface ReverseRecord {
  readonly name: string;
  outside: boolean;
}

const NO_TARGETS: readonly ServiceTarget[] = [];

export class ServiceRecords implements NameSource {
  readonly networkName: string;
  readonly #names = new Map<string, NameRecord[]>();
  readonly #reverse = new Map<Ipv4Address, ReverseRecord[]>();

  constructor(networkName: string) {
    this.networkName = networkName;
  }

  /** How many names there are. */
  get size(): number {
    return this.#names.size;
  }

  /** False when this very record is there already. */
  add(name: string, address: Ipv4Address, cause: string): boolean {
    const key = name.toLowerCase();
    const records = this.#names.get(key);
    if (records === undefined) this.#names.set(key, [{ address, cause }]);
    else if (records.some((record) => record.address === address && record.cause === cause)) return false;
    else records.push({ address, cause });
    return true;
  }

  remove(name: string, address: Ipv4Address, cause: string): boolean {
    const key = name.toLowerCase();
    const records = this.#names.get(key);
    const at = records?.findIndex((record) => record.address === address && record.cause === cause) ?? -1;
    if (records === undefined || at < 0) return false;
    records.splice(at, 1);
    if (records.length === 0) this.#names.delete(key);
    return true;
  }

  /** Lets an address be asked for its name: containers and tasks have one, virtual addresses have not. */
  addReverse(address: Ipv4Address, name: string): void {
    const records = this.#reverse.get(address);
    if (records === undefined) this.#reverse.set(address, [{ name, outside: false }]);
    else if (!records.some((record) => record.name === name)) records.push({ name, outside: false });
  }

  removeReverse(address: Ipv4Address, name: string): void {
    const left = this.#reverse.get(address)?.filter((record) => record.name !== name) ?? [];
    if (left.length > 0) this.#reverse.set(address, left);
    else this.#reverse.delete(address);
  }

  lookUp(name: string, family: AddressFamily): NameAnswer {
    const records = this.#names.get(name.toLowerCase());
    if (records === undefined) return undefined;
    if (family === "ipv6") return "known-without-address";
    return { addresses: [...new Set(records.map((record) => record.address))] };
  }

  reverse(address: Ipv4Address): string | undefined {
    const first = this.#reverse.get(address)?.[0];
    return first === undefined || first.outside ? undefined : `${first.name}.${this.networkName}`;
  }

  /** The engine keeps no ports by name: nothing ever fills that table of libnetwork. */
  serviceTargets(_name: string): readonly ServiceTarget[] {
    return NO_TARGETS;
  }

  resolvedOutside(name: string, address: Ipv4Address): void {
    for (const record of this.#reverse.get(address) ?? []) if (record.name === name) record.outside = true;
  }
}
