/** `vxlab run FILE`: builds the scenario's world, runs it, writes the capture, says what happened and whether it was as expected. */
import { Command, InvalidArgumentError, Option } from "commander";
import { Lab } from "../scenario/lab.ts";
import type { Scenario } from "../scenario/load.ts";
import type { RunReport } from "../scenario/report.ts";
import { parseDuration } from "../scenario/units.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { captureFiles, checkPatterns } from "./capture-files.ts";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { loadInput } from "./load-input.ts";
import { Progress } from "./progress.ts";
import { reportText } from "./report-text.ts";
import { isStackFile, runStackFile, type StackOptions, withStackOptions } from "./run-stack.ts";

export function runCommand(): Command {
  const command = new Command("run")
    .description("run a scenario or a stack file and write its capture")
    .argument(
      "<file>",
      "a scenario (.yaml), a stack file (docker-stack.yml), or a plain file of ip, bridge, sysctl lines (.sh); - for stdin",
    )
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
    .action(async (file: string, options: StackOptions) => {
      if (isStackFile(file, options)) {
        await runStackFile(file, options);
        return;
      }
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
  return withStackOptions(command);
}

/** Events between two looks at the terminal and at Ctrl-C: some 20 ms of work. */
const SLICE_EVENTS = 100_000;

async function run(scenario: Scenario, options: StackOptions): Promise<RunReport> {
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
