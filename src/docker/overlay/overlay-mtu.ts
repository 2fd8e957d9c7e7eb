/** The MTU of an overlay's interfaces (libnetwork, drivers/overlay): what is left of the underlay's, which nobody measures. */
import { OVERHEAD_BYTES } from "../../linux/vxlan-settings.ts";

/** `--opt com.docker.network.driver.mtu=N`: the underlay's MTU, of which the interfaces get what VXLAN leaves. */
export const MTU_OPTION = "com.docker.network.driver.mtu";
const ASSUMED_UNDERLAY_MTU = 1_500;
/** ESP header 4 + 4, IV 8, pad length 1, next header 1, ICV 8. */
const ESP_EXPANSION_BYTES = 26;
/** ESP pads to this. */
const ESP_ALIGNMENT = 4;

/** `underlayMtu`: the network's option; undefined or 0 where it has none. 1500 gives 1450, and 1424 when it is encrypted. */
export function overlayMtu(underlayMtu: number | undefined, encrypted: boolean): number {
  const plain = (underlayMtu || ASSUMED_UNDERLAY_MTU) - OVERHEAD_BYTES;
  if (!encrypted) return plain;
  return Math.floor((plain - ESP_EXPANSION_BYTES) / ESP_ALIGNMENT) * ESP_ALIGNMENT;
}

/** The option's number, or Docker's words for what is none. */
export function underlayMtu(option: string | undefined): number | undefined | string {
  if (option === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(option)) return `failed to parse ${option}: strconv.Atoi: parsing "${option}": invalid syntax`;
  const mtu = Number(option);
  return mtu < 0 ? `invalid MTU value: ${mtu}` : mtu;
}
