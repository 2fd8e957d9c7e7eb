/** The capture of a run as files: one pcapng, or one pcap an interface, with the keys that open what is sealed in it beside them. */
import { join } from "node:path";
import type { ByteSink } from "../capture/byte-sink.ts";
import { PcapFileWriter } from "../capture/pcap-file-writer.ts";
import { PcapngWriter } from "../capture/pcapng-writer.ts";
import { wiresharkEspSa } from "../linux/xfrm/esp-sa.ts";
import { type Lab, placesText } from "../scenario/lab.ts";
import type { Scenario } from "../scenario/load.ts";
import { VERSION } from "../version.ts";
import { ClosedPipeError } from "./closed-pipe.ts";
import { OutputFolder, writeAll } from "./output-folder.ts";
import { UsageError } from "./usage-error.ts";

/** What the command line says about captures. */
export interface CaptureOptions {
  readonly out?: string;
  readonly write?: string;
  readonly capture?: readonly string[];
  readonly format: "pcapng" | "pcap";
  readonly snaplen: number;
  readonly drops?: true;
  readonly captureFile: boolean;
}

/** Files that a run writes: whole at `finish`, or not at all. */
export interface CaptureFiles {
  readonly names: readonly string[];
  finish(): void;
  abandon(): void;
}

/** An interface that is not there is seldom what was meant; where there are engines it may come. */
export function checkPatterns(lab: Lab, patterns: readonly string[] | undefined): void {
  if (lab.hasEngines) return;
  for (const pattern of patterns ?? [])
    if (lab.captureDevices([pattern]).length === 0)
      throw new UsageError(
        `--capture ${pattern}: no interface is called so; expected ${placesText(lab.captureDevices(["*"]).map(({ place }) => place))}`,
      );
}

/** Opens the capture files that were asked for and joins them to the lab's capture points. */
export function captureFiles(
  lab: Lab,
  patterns: readonly string[] | undefined,
  scenario: Scenario,
  options: CaptureOptions,
): CaptureFiles {
  if (!options.captureFile) return { names: [], finish: () => undefined, abandon: () => undefined };
  if (options.write === "-") {
    if (options.format === "pcap")
      throw new UsageError("--format pcap writes one file per interface: give a folder with --out");
    const stdout: ByteSink = { write: writeToStdout };
    const writer = pcapng(lab, patterns, stdout, scenario, options);
    return { names: ["-"], finish: () => writer.close(), abandon: () => undefined };
  }
  const [folderPath, fileName] = splitPath(options, scenario);
  const folder = new OutputFolder(folderPath);
  const commit = (): void => {
    writeKeys(lab, folder);
    folder.commit();
  };
  if (options.format === "pcapng") {
    const file = folder.create(fileName);
    const writer = pcapng(lab, patterns, file, scenario, options);
    return {
      names: [join(folderPath, fileName)],
      finish() {
        writer.close();
        commit();
      },
      abandon: () => folder.abandon(),
    };
  }
  const taken = new Set<string>();
  const writers: { readonly name: string; readonly writer: PcapFileWriter }[] = [];
  lab.follow(patterns ?? scenario.capture, (_device, place) => {
    const stem = place.replaceAll("/", ".");
    let name = `${stem}.pcap`;
    for (let number = 2; taken.has(name); number++) name = `${stem}.${number}.pcap`;
    taken.add(name);
    const writer = new PcapFileWriter(folder.create(name), {
      snapLength: options.snaplen,
      startSeconds: lab.startSeconds,
    });
    writers.push({ name, writer });
    return ({ timeNs, bytes, at, end }) => writer.frame(timeNs, bytes, at, end);
  });
  return {
    // More may come while the run goes on.
    get names() {
      return writers.map(({ name }) => join(folderPath, name));
    },
    finish() {
      for (const { writer } of writers) writer.close();
      commit();
    },
    abandon: () => folder.abandon(),
  };
}

/**
 * Where a run ends with security associations, their keys go beside the capture: `esp_sa`, a file of a Wireshark profile; where its control plane was sealed, `tls_keys.log`
 * and `gossip_keys.txt` (wireshark/README.md).
 */
function writeKeys(lab: Lab, folder: OutputFolder): void {
  const associations = [...lab.world.namespaces.values()].flatMap(({ xfrm }) =>
    xfrm === undefined ? [] : [xfrm.states.list],
  );
  const keys = wiresharkEspSa(associations);
  if (keys !== "") folder.create("esp_sa").write(new TextEncoder().encode(keys));
  const gossipKeys = lab.gossipKeys.map(hexLine).join("");
  if (gossipKeys !== "") folder.create("gossip_keys.txt").write(new TextEncoder().encode(gossipKeys));
  if (lab.keyLog.length > 0)
    folder.create("tls_keys.log").write(new TextEncoder().encode(`${lab.keyLog.join("\n")}\n`));
}

function hexLine(bytes: Uint8Array): string {
  return `${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}\n`;
}

function writeToStdout(bytes: Uint8Array): void {
  try {
    writeAll(1, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") throw new ClosedPipeError("stdout");
    throw new UsageError(`cannot write to stdout: ${(error as Error).message}`);
  }
}

function splitPath(options: CaptureOptions, scenario: Scenario): [string, string] {
  if (options.write === undefined) return [options.out ?? join("captures", scenario.name), `${scenario.name}.pcapng`];
  if (options.format === "pcap")
    throw new UsageError("--format pcap writes one file per interface: give a folder with --out");
  const slash = Math.max(options.write.lastIndexOf("/"), options.write.lastIndexOf("\\"));
  return slash < 0 ? [".", options.write] : [options.write.slice(0, slash + 1), options.write.slice(slash + 1)];
}

function pcapng(
  lab: Lab,
  patterns: readonly string[] | undefined,
  sink: ByteSink,
  scenario: Scenario,
  options: CaptureOptions,
): PcapngWriter {
  const writer = new PcapngWriter(sink, {
    snapLength: options.snaplen,
    startSeconds: lab.startSeconds,
    application: `vxlab ${VERSION}`,
    comment: `vxlab ${VERSION}: scenario ${scenario.name}, seed ${scenario.seed ?? "1"}`,
  });
  lab.writeTo(writer, { drops: options.drops === true, patterns });
  return writer;
}
