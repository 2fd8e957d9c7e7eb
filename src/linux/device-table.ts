/** The devices of one namespace, by index and by name. Few in a container, thousands on a node: names get a hash table only when there are many. */
import type { NetDevice } from "./net-device.ts";

const MOST_WITHOUT_NAMES = 8;

export class DeviceTable {
  /** In the order of their index. Replaced as a whole when a device comes or goes: who walks it may make or end devices meanwhile. */
  list: readonly NetDevice[] = [];
  #byName: Map<string, NetDevice> | undefined = undefined;

  get(name: string): NetDevice | undefined {
    if (this.#byName !== undefined) return this.#byName.get(name);
    for (const device of this.list) if (device.name === name) return device;
    return undefined;
  }

  /** Under its present name and index, both of which are free. */
  add(device: NetDevice): void {
    const { list } = this;
    let place = list.length;
    while (place > 0 && list[place - 1]!.index > device.index) place--;
    this.list = list.slice(0, place).concat(device, list.slice(place));
    if (this.#byName !== undefined) this.#byName.set(device.name, device);
    else if (this.list.length > MOST_WITHOUT_NAMES)
      this.#byName = new Map(this.list.map((each) => [each.name, each] as const));
  }

  delete(device: NetDevice): void {
    this.list = this.list.filter((other) => other !== device);
    this.#byName?.delete(device.name);
  }

  rename(device: NetDevice, name: string): void {
    this.#byName?.delete(device.name);
    device.name = name;
    this.#byName?.set(name, device);
  }
}
