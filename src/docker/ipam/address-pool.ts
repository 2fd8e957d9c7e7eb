/**
 * The addresses of one subnet, as libnetwork's default IPAM hands them out: the network's own and the broadcast address are never given; `lowest`
 * gives the lowest free one (bridge networks), `serial` the next free one behind the last that was chosen, round and round (swarm networks), so that
 * an address given back is not used again at once.
 */
import { broadcastOf, contains, type Ipv4Address, networkOf, type Prefix } from "../../wire/address.ts";

export interface PoolSettings {
  readonly subnet: Prefix;
  readonly order: "lowest" | "serial";
  /** `--ip-range`: addresses are chosen in here; one asked for by name may lie elsewhere in the subnet. */
  readonly range?: Prefix | undefined;
}

/** `exhausted`: none is free. `taken`: the one asked for is in use. `outside`: it is not in the subnet, or its first or last. */
export type PoolProblem = "exhausted" | "taken" | "outside";

export class AddressPool {
  readonly subnet: Prefix;
  readonly #order: "lowest" | "serial";
  readonly #first: number;
  readonly #last: number;
  readonly #taken = new Set<number>();
  /** For `lowest`: nothing below is free. For `serial`: where the search begins. */
  #next: number;

  constructor(settings: PoolSettings) {
    const { subnet, order, range = subnet } = settings;
    this.subnet = { address: networkOf(subnet), length: subnet.length };
    this.#order = order;
    const whole = subnet.length >= 31; // RFC 3021: both addresses of a /31 are hosts'
    const network = networkOf(subnet);
    const broadcast = broadcastOf(subnet);
    const first = networkOf(range);
    const last = broadcastOf(range);
    this.#first = !whole && first === network ? first + 1 : first;
    this.#last = !whole && last === broadcast ? last - 1 : last;
    this.#next = this.#first;
  }

  /** How many addresses are in use. */
  get used(): number {
    return this.#taken.size;
  }

  /** One address; `wanted`: that one, which does not move the cursor. */
  request(wanted?: Ipv4Address): Ipv4Address | PoolProblem {
    if (wanted === undefined) return this.#choose();
    if (!this.#isHost(wanted)) return "outside";
    if (this.#taken.has(wanted)) return "taken";
    this.#taken.add(wanted);
    return wanted;
  }

  release(address: Ipv4Address): void {
    if (!this.#taken.delete(address)) return;
    if (this.#order === "lowest" && address < this.#next && address >= this.#first) this.#next = address;
  }

  isTaken(address: Ipv4Address): boolean {
    return this.#taken.has(address);
  }

  #isHost(address: Ipv4Address): boolean {
    if (!contains(this.subnet, address)) return false;
    return this.subnet.length >= 31 || (address !== this.subnet.address && address !== broadcastOf(this.subnet));
  }

  #choose(): Ipv4Address | "exhausted" {
    const size = this.#last - this.#first + 1;
    let candidate = this.#next;
    for (let tried = 0; tried < size; tried++, candidate++) {
      if (candidate > this.#last) {
        if (this.#order === "lowest") break;
        candidate = this.#first;
      }
      if (this.#taken.has(candidate)) continue;
      this.#taken.add(candidate);
      this.#next = candidate + 1;
      return candidate as Ipv4Address;
    }
    if (this.#order === "lowest") this.#next = this.#last + 1;
    return "exhausted";
  }
}
