/** Rules as iptables-save writes them and as `iptables -L` lists them. */
import { formatIpv4, type Ipv4Address, maskOf } from "../../wire/address.ts";
import type { Chain, Rule } from "./chain.ts";
import { protocolName } from "./names.ts";
import type { AddressTest, DeviceTest } from "./rule-parts.ts";
import type { Table } from "./table.ts";

export interface ListStyle {
  readonly numeric: boolean;
  readonly verbose: boolean;
  readonly exact: boolean;
  readonly lineNumbers: boolean;
}

/** `-A CHAIN …` without counters: equal for rules that are equal. */
export function saveRule(chain: Chain, rule: Rule, counters = false): string {
  const { parts } = rule;
  const words = [`-A ${chain.name}`];
  const add = (inverted: boolean, text: string) => words.push(inverted ? `! ${text}` : text);
  if (parts.source !== undefined && parts.source.mask !== 0)
    add(parts.source.inverted, `-s ${formatAddress(parts.source, true)}`);
  if (parts.destination !== undefined && parts.destination.mask !== 0)
    add(parts.destination.inverted, `-d ${formatAddress(parts.destination, true)}`);
  if (parts.ingress !== undefined && isTest(parts.ingress))
    add(parts.ingress.inverted, `-i ${formatDevice(parts.ingress)}`);
  if (parts.egress !== undefined && isTest(parts.egress))
    add(parts.egress.inverted, `-o ${formatDevice(parts.egress)}`);
  if (parts.protocol !== 0) add(parts.protocolInverted, `-p ${protocolName(parts.protocol)}`);
  if (parts.fragment !== "any") add(parts.fragment === "not-later", "-f");
  for (const match of parts.matches) words.push(`-m ${match.name}`, match.save());
  if (counters) words.push(`-c ${rule.packets} ${rule.bytes}`);
  if (parts.jump !== undefined) words.push(`${parts.goto ? "-g" : "-j"} ${parts.jump.name}`);
  if (parts.target !== undefined) words.push(`-j ${parts.target.name}`, parts.target.save());
  return words.filter((word) => word !== "").join(" ");
}

/** The lines of one chain: heading and rules; only rule `only` (from 1), without heading, when it is given. */
export function listChain(table: Table, chain: Chain, style: ListStyle, only?: number): string {
  let text = "";
  if (only === undefined) text = `${chainHeading(table, chain, style)}\n${columnHeading(style)}\n`;
  chain.rules.forEach((rule, index) => {
    if (only === undefined || only === index + 1) text += `${listRule(rule, index + 1, style)}\n`;
  });
  return text;
}

function chainHeading(table: Table, chain: Chain, style: ListStyle): string {
  if (chain.point === undefined) return `Chain ${chain.name} (${table.references(chain)} references)`;
  const { policyPackets, policyBytes } = chain;
  const counters = style.verbose ? ` ${policyPackets} packets, ${policyBytes} bytes` : "";
  return `Chain ${chain.name} (policy ${chain.policy}${counters})`;
}

function columnHeading(style: ListStyle): string {
  let text = style.lineNumbers ? "num  " : "";
  if (style.verbose) text += style.exact ? "    pkts      bytes " : " pkts bytes ";
  text += "target     prot opt ";
  if (style.verbose) text += "in     out     ";
  return `${text}source               destination         `;
}

function listRule(rule: Rule, number: number, style: ListStyle): string {
  const { parts } = rule;
  let text = style.lineNumbers ? `${String(number).padEnd(4)} ` : "";
  if (style.verbose) text += `${count(rule.packets, style.exact)}${count(rule.bytes, style.exact)}`;
  const target = parts.jump?.name ?? parts.target?.name ?? "";
  const protocol = style.numeric ? String(parts.protocol) : protocolName(parts.protocol);
  text += `${target.padEnd(9)} ${parts.protocolInverted ? "!" : " "}${protocol.padEnd(4)} `;
  text += `${parts.fragment === "any" ? "--" : parts.fragment === "later" ? "-f" : "!f"} `;
  if (style.verbose) {
    const any = style.numeric ? "*" : "any";
    text += ` ${listDevice(parts.ingress, any).padEnd(6)} ${listDevice(parts.egress, any).padEnd(6)} `;
  }
  text += listAddress(parts.source, style.numeric) + listAddress(parts.destination, style.numeric);
  if (parts.goto) text += "[goto] ";
  for (const match of parts.matches) {
    const words = match.list(style.numeric);
    if (words !== "") text += match.name === "bpf" ? words : ` ${words}`; // bpf's printer leaves out the space
  }
  const words = parts.target?.list(style.numeric) ?? "";
  return words === "" ? text : `${text} ${words}`;
}

/** Five columns, thousands as K, M, G; or all digits. */
function count(value: number, exact: boolean): string {
  if (exact) return `${String(value).padStart(8)} `;
  let number = value;
  if (number <= 99_999) return `${String(number).padStart(5)} `;
  for (const unit of ["K", "M", "G"]) {
    number = Math.floor((number + 500) / 1000);
    if (number <= 9_999) return `${String(number).padStart(4)}${unit} `;
  }
  return `${String(Math.floor((number + 500) / 1000)).padStart(4)}T `;
}

function isTest(device: DeviceTest): boolean {
  return device.name !== "" || device.inverted;
}

function formatDevice(device: DeviceTest): string {
  return device.prefix ? `${device.name}+` : device.name;
}

function listDevice(device: DeviceTest | undefined, any: string): string {
  if (device === undefined || !isTest(device)) return any;
  return `${device.inverted ? "!" : ""}${formatDevice(device)}`;
}

/** A column: the sign of inversion, then the address. */
function listAddress(test: AddressTest | undefined, numeric: boolean): string {
  let address = numeric ? "0.0.0.0/0" : "anywhere";
  if (test !== undefined && (test.mask !== 0 || test.inverted)) {
    const isLocalhost = !numeric && test.mask === 0xffff_ffff && test.address === 0x7f00_0001;
    address = isLocalhost ? "localhost" : formatAddress(test, false);
  }
  return `${test?.inverted === true ? "!" : " "}${address.padEnd(19)} `;
}

/** A contiguous mask as a length (`/32` only when `always`), any other in dots. */
function formatAddress(test: AddressTest, always: boolean): string {
  const address = formatIpv4(test.address as Ipv4Address);
  if (test.mask === 0xffff_ffff && !always) return address;
  for (let length = 32; length >= 0; length--) if (maskOf(length) === test.mask) return `${address}/${length}`;
  return `${address}/${formatIpv4(test.mask as Ipv4Address)}`;
}
