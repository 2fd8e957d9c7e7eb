/** The relay of a bridge: unicast among 50 ports, all addresses known; then with the storm guard; then floods. */
import { bench, describe } from "vitest";
import { type Bridge, type BridgeHost, createBridge } from "../src/linux/bridge.ts";
import { type FrameId, FrameStore } from "../src/linux/frame-store.ts";
import { type DeviceKind, type Driver, NetDevice } from "../src/linux/net-device.ts";
import { StormGuard } from "../src/linux/storm-guard.ts";
import { Random } from "../src/sim/random.ts";
import { Simulation } from "../src/sim/simulation.ts";
import { MAC_BROADCAST, type MacAddress } from "../src/wire/address.ts";
import * as ethernet from "../src/wire/ethernet.ts";

const PORTS = 50;
const RELAYS = 1_000;

/** A bridge whose ports swallow what they send; `held` frames stay alive, for they are received again and again. */
class Setup {
  readonly frames: FrameStore;
  readonly devices: NetDevice[] = [];
  readonly bridge: Bridge;
  readonly unicast: FrameId[] = [];
  readonly broadcast: FrameId;

  constructor(guarded: boolean) {
    const simulation = new Simulation(new Random("bridge bench"));
    const frames = new FrameStore(simulation);
    this.frames = frames;
    let index = 1;
    const host: BridgeHost = {
      clock: simulation,
      frames,
      random: simulation.random,
      stormGuard: guarded ? new StormGuard(simulation, 2 ** 30) : undefined,
      addDevice: (options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }) =>
        new NetDevice({
          ...options,
          index: index++,
          frames,
          stack: { receive: (_, frame) => frames.consume(frame) },
          namespaceName: "n1",
        }),
    };
    this.bridge = createBridge(host, { name: "br0" });
    this.bridge.device.setUp(true);
    const driver: Driver = { transmit: (frame) => frames.consume(frame) };
    for (let port = 0; port < PORTS; port++) {
      const address = (0x02aa_0000_0000 + port) as MacAddress;
      const device = host.addDevice({ name: `p${port}`, kind: "dummy", address, mtu: 1_500, driver });
      device.setUp(true);
      this.bridge.addPort(device);
      this.devices.push(device);
    }
    const macOf = (host: number) => (0x0242_0a00_0000 + (host % PORTS)) as MacAddress;
    for (let port = 0; port < PORTS; port++) {
      this.unicast.push(this.#make(macOf(port + PORTS / 2), macOf(port)));
      this.#receive(this.devices[port]!, this.unicast[port]!);
    }
    this.broadcast = this.#make(MAC_BROADCAST, macOf(0));
  }

  relay(frameOf: (port: number) => FrameId): void {
    let port = 0;
    for (let count = 0; count < RELAYS; count++) {
      this.#receive(this.devices[port]!, frameOf(port));
      if (++port === PORTS) port = 0;
    }
  }

  #make(destination: MacAddress, source: MacAddress): FrameId {
    const frame = this.frames.make(64);
    ethernet.write(this.frames.bytes, this.frames.start(frame), destination, source, ethernet.ETHERTYPE_IPV4);
    return frame;
  }

  #receive(device: NetDevice, frame: FrameId): void {
    this.frames.hold(frame); // one hold stays here
    device.receive(frame);
  }
}

const plain = new Setup(false);
const guarded = new Setup(true);

describe("bridge", () => {
  bench("relay 1 000 known unicast frames", () => plain.relay((port) => plain.unicast[port]!));
  bench("relay 1 000 known unicast frames under the storm guard", () =>
    guarded.relay((port) => guarded.unicast[port]!),
  );
  bench("flood 1 000 broadcasts to 49 ports and the host", () => plain.relay(() => plain.broadcast));
});
