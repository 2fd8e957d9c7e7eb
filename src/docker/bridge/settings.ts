/** Options of a bridge network: `-o com.docker.network.bridge....`, with what they are when absent. */
import { IPV4_ANY, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { type Refusal, refuse } from "../refusal.ts";

export const BRIDGE_NAME = "com.docker.network.bridge.name";
export const DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge";
export const ENABLE_ICC = "com.docker.network.bridge.enable_icc";
export const ENABLE_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade";
export const HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4";
export const INHIBIT_ADDRESS = "com.docker.network.bridge.inhibit_ipv4";
export const INTERFACE_PREFIX = "com.docker.network.container_iface_prefix";
export const MTU = "com.docker.network.driver.mtu";

const DEFAULT_MTU = 1_500;
const LARGEST_MTU = 65_535;
const NAME_LIMIT = 15;

export interface BridgeSettings {
  readonly bridgeName: string;
  /** docker0. */
  readonly isDefault: boolean;
  /** Containers of the network may talk to each other. */
  readonly betweenContainers: boolean;
  readonly masquerades: boolean;
  readonly hostBinding: Ipv4Address;
  /** The bridge gets no address. */
  readonly inhibitsAddress: boolean;
  readonly interfacePrefix: string;
  readonly mtu: number;
}

export function readBridgeSettings(id: string, options: ReadonlyMap<string, string>): BridgeSettings | Refusal {
  const flag = (key: string, fallback: boolean): boolean | Refusal => {
    const text = options.get(key);
    if (text === undefined) return fallback;
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
    if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
    return refuse(
      "invalid",
      `failed to parse ${key} value: ${JSON.stringify(text)} (strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax)`,
    );
  };
  const isDefault = flag(DEFAULT_BRIDGE, false);
  const betweenContainers = flag(ENABLE_ICC, true);
  const masquerades = flag(ENABLE_MASQUERADE, true);
  const inhibitsAddress = flag(INHIBIT_ADDRESS, false);
  for (const answer of [isDefault, betweenContainers, masquerades, inhibitsAddress])
    if (typeof answer !== "boolean") return answer;
  const mtuText = options.get(MTU);
  const mtu = mtuText === undefined ? DEFAULT_MTU : /^\d{1,9}$/.test(mtuText) ? Number(mtuText) : -1;
  if (mtu < 0)
    return refuse(
      "invalid",
      `failed to parse ${MTU} value: ${JSON.stringify(mtuText)} (strconv.Atoi: parsing ${JSON.stringify(mtuText)}: invalid syntax)`,
    );
  if (mtu > LARGEST_MTU) return refuse("invalid", `invalid MTU number: ${mtu}`);
  const bridgeName = options.get(BRIDGE_NAME) ?? `br-${id.slice(0, 12)}`;
  if (bridgeName === "" || bridgeName.length > NAME_LIMIT || /[\s/]/.test(bridgeName))
    return refuse("system", `failed to create bridge ${bridgeName}: numerical result out of range`);
  const binding = options.get(HOST_BINDING);
  const hostBinding = binding === undefined ? IPV4_ANY : parseIpv4(binding);
  if (hostBinding === undefined)
    return refuse("invalid", `failed to parse ${HOST_BINDING} value: ${JSON.stringify(binding)} (invalid ip address)`);
  return {
    bridgeName,
    isDefault: isDefault === true,
    betweenContainers: betweenContainers === true,
    masquerades: masquerades === true,
    hostBinding,
    inhibitsAddress: inhibitsAddress === true,
    interfacePrefix: options.get(INTERFACE_PREFIX) ?? "eth",
    mtu: mtu === 0 ? DEFAULT_MTU : mtu,
  };
}
