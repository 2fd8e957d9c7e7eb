/** `vxlab run FILE`: builds the scenario's world, runs it, writes the capture, says what happened and whether it was as expected. */
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ByteSink } from "../capture/byte-sink.ts";
import { PcapFileWriter } from "../capture/pcap-file-writer.ts";
import { PcapngWriter } from "../capture/pcapng-writer.ts";
import { wiresharkEspSa } from "../linux/xfrm/esp-sa.ts";
import { Lab, placesText } from "../scenario/lab.ts";
import type { Scenario } from "../scenario/load.ts";
import type { RunReport } from "../scenario/report.ts";
import { parseDuration } from "../scenario/units.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { VERSION } from "../version.ts";
import { ClosedPipeError } from "./closed-pipe.ts";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { loadInput } from "./load-input.ts";
import { OutputFolder, writeAll } from "./output-folder.ts";
import { Progress } from "./progress.ts";
import { reportText } from "./report-text.ts";
import { UsageError } from "./usage-error.ts";

interface CommandOptions {
  readonly out?: string;
  readonly write?: string;
  readonly capture?: readonly string[];
  readonly format: "pcapng" | "pcap";
  readonly snaplen: number;
  readonly drops?: true;
  readonly captureFile: boolean;
  readonly seed?: string;
  readonly until?: Nanoseconds;
  readonly json?: true;
  readonly quiet?: true;
}

export function runCommand(): Command {
  return new Command("run")
    .description("run a scenario and write its capture")
    .argument("<file>", "a scenario (.yaml), or a plain file of ip, bridge, sysctl lines (.sh); - for stdin")
    .option("-o, --out <folder>", "where files go; captures/<name>/ without it")
    .option("-w, --write <file>", "the capture goes to this file; - for stdout (then the report goes to stderr)")
    .option("-i, --capture <pattern...>", 'interfaces to capture, such as "node*/eth0"; overrides the scenario')
    .addOption(
      new Option("--format <format>", "pcapng: one file; pcap: one file per interface")
        .choices(["pcapng", "pcap"])
        .default("pcapng"),
    )
    .option("--snaplen <bytes>", "cut frames to this many bytes", snapLength, 262_144)
    .option("--drops", "also write dropped frames, each with a comment: DROP <reason> at <place>")
    .option("--no-capture-file", "write no capture")
    .option("--seed <seed>", "the root of all chance, in place of the scenario's")
    .option("--until <time>", "end the run at this virtual time", duration)
    .option("--json", "the report as one JSON document on stdout (version 1)")
    .option("-q, --quiet", "say only what failed")
    .action(async (file: string, options: CommandOptions) => {
      const loaded = loadInput(file);
      const scenario: Scenario = {
        ...loaded,
        ...(options.seed !== undefined && { seed: options.seed }),
        ...(options.until !== undefined && { until: options.until }),
      };
      const report = await run(scenario, options);
      const failed = !report.holds;
      const talk = options.write === "-" ? process.stderr : process.stdout;
      if (options.json) talk.write(`${JSON.stringify(report, null, 2)}\n`);
      else if (!options.quiet || failed)
        talk.write(
          reportText(report, {
            colour: talk.isTTY === true && !process.env["NO_COLOR"],
            failedOnly: options.quiet === true,
          }),
        );
      process.exitCode = failed ? EXIT_FAILED : EXIT_HOLDS;
    });
}

/** Events between two looks at the terminal and at Ctrl-C: some 20 ms of work. */
const SLICE_EVENTS = 100_000;

async function run(scenario: Scenario, options: CommandOptions): Promise<RunReport> {
  const interruption = new Interruption();
  const progress = new Progress(process.stderr, options.quiet !== true && options.json !== true);
  const lab = new Lab(scenario);
  checkPatterns(lab, options.capture);
  const files = captureFiles(lab, options.capture, scenario, options);
  try {
    while (!lab.advance(SLICE_EVENTS)) {
      progress.show(lab.world.simulation.nowNs, lab.world.simulation.events);
      await interruption.check();
    }
    files.finish();
    return { ...lab.report(), files: files.names };
  } catch (error) {
    files.abandon();
    throw error;
  } finally {
    progress.clear();
    interruption.release();
  }
}

interface CaptureFiles {
  readonly names: readonly string[];
  finish(): void;
  abandon(): void;
}

/** An interface that is not there is seldom what was meant; where there are engines it may come. */
function checkPatterns(lab: Lab, patterns: readonly string[] | undefined): void {
  if (lab.hasEngines) return;
  for (const pattern of patterns ?? [])
    if (lab.captureDevices([pattern]).length === 0)
      throw new UsageError(
        `--capture ${pattern}: no interface is called so; expected ${placesText(lab.captureDevices(["*"]).map(({ place }) => place))}`,
      );
}

/** Opens the capture files that were asked for and joins them to the lab's capture points. */
function captureFiles(
  lab: Lab,
  patterns: readonly string[] | undefined,
  scenario: Scenario,
  options: CommandOptions,
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
 * Where a run ends with security associations, their keys go beside the capture: `esp_sa`, a file of a Wireshark profile; where it has spoken TLS, `tls_keys.log`.
 */
function writeKeys(lab: Lab, folder: OutputFolder): void {
  const associations = [...lab.world.namespaces.values()].flatMap(({ xfrm }) =>
    xfrm === undefined ? [] : [xfrm.states.list],
  );
  const keys = wiresharkEspSa(associations);
  if (keys !== "") folder.create("esp_sa").write(new TextEncoder().encode(keys));
  if (lab.keyLog.length > 0)
    folder.create("tls_keys.log").write(new TextEncoder().encode(`${lab.keyLog.join("\n")}\n`));
}

function writeToStdout(bytes: Uint8Array): void {
  try {
    writeAll(1, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") throw new ClosedPipeError("stdout");
    throw new UsageError(`cannot write to stdout: ${(error as Error).message}`);
  }
}

function splitPath(options: CommandOptions, scenario: Scenario): [string, string] {
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
  options: CommandOptions,
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

function snapLength(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 262_144)
    throw new InvalidArgumentError("an integer from 1 to 262144 is expected");
  return value;
}

function duration(text: string): Nanoseconds {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError("a time such as 200ms or 1m30s is expected");
  return value;
}
