/**
 * vxlab as a library: build a scenario's world from an object or a YAML text, run it, type commands in it, listen to its frames, read its tables.
 * Nothing here touches files or the process, so it runs in a browser as well.
 */
export { type ByteSink, MemorySink } from "./capture/byte-sink.ts";
export type { CapturedFrame as ReadFrame } from "./capture/capture-frame.ts";
export { readCapture } from "./capture/capture-reader.ts";
export { compileFilter, type FilterProblem, type FrameFilter } from "./capture/filter.ts";
export { PcapFileWriter } from "./capture/pcap-file-writer.ts";
export { PcapngWriter } from "./capture/pcapng-writer.ts";
export { Host } from "./commands/host.ts";
export { DROP_REASONS, type DropReason } from "./linux/drop-reason.ts";
export { NetworkNamespace } from "./linux/namespace.ts";
export { NetDevice } from "./linux/net-device.ts";
export { World } from "./linux/world.ts";
export type { CapturedFrame, FrameListener } from "./scenario/capture-points.ts";
export type { RunningCommand } from "./scenario/command-runner.ts";
export type { CommandResult, ExpectationResult } from "./scenario/expectations.ts";
export type {
  ContainerSpec,
  Expectation,
  FaultSpec,
  NetworkSpec,
  NodeSpec,
  ScenarioSpec,
  StepSpec,
} from "./scenario/format.ts";
export type { ScenarioInput } from "./scenario/input.ts";
export { Lab } from "./scenario/lab.ts";
export { loadScenario, type Scenario, scenarioFrom } from "./scenario/load.ts";
export { type Problem, ScenarioError } from "./scenario/problem.ts";
export type { RunReport } from "./scenario/report.ts";
export { scenarioSchema } from "./scenario/schema.ts";
export { MICROSECOND, MILLISECOND, type Nanoseconds, SECOND } from "./sim/time.ts";
export {
  formatIpv4,
  formatMac,
  type Ipv4Address,
  type MacAddress,
  type Prefix,
  parseIpv4,
  parseMac,
  parsePrefix,
  type Vni,
} from "./wire/address.ts";
export { describe } from "./wire/describe.ts";
