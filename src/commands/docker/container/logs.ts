/** `docker logs`. */
import type { Container } from "../../../docker/container/container.ts";
import type { LogLine } from "../../../docker/container/log.ts";
import type { Process, Program } from "../../../linux/process.ts";
import { CommandError } from "../../command-error.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, granted } from "../daemon.ts";
import { readTime, stamp } from "./log-time.ts";

export const LOGS: DockerCommand = {
  path: "container logs",
  aliases: ["logs"],
  takes: "[OPTIONS] CONTAINER",
  summary: "Fetch the logs of a container",
  flags: [
    { name: "details", kind: "bool", usage: "Show extra details provided to logs" },
    { name: "follow", letter: "f", kind: "bool", usage: "Follow log output" },
    {
      name: "since",
      kind: "string",
      usage: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    {
      name: "tail",
      letter: "n",
      kind: "string",
      usage: "Number of lines to show from the end of the logs",
      byDefault: '"all"',
    },
    { name: "timestamps", letter: "t", kind: "bool", usage: "Show timestamps" },
    {
      name: "until",
      kind: "string",
      usage: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
  ],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const container = granted(engineOf(context).findContainer(operands[0]!));
    const nowNs = process.clock.nowNs;
    const sinceNs = readTime(flags.string("since"), "since", nowNs) ?? Number.NEGATIVE_INFINITY;
    const untilNs = readTime(flags.string("until"), "until", nowNs) ?? Number.POSITIVE_INFINITY;
    const tail = flags.string("tail") ?? "all";
    if (tail !== "all" && !/^-?\d+$/.test(tail))
      throw new CommandError(1, `Error response from daemon: invalid tail: ${tail}`);
    const stamps = flags.bool("timestamps");
    const show = ({ atNs, stream, text }: LogLine) => {
      if (atNs >= sinceNs && atNs <= untilNs) process[stream].write(`${stamps ? `${stamp(atNs)} ` : ""}${text}\n`);
    };
    const lines = container.logs.filter(({ atNs }) => atNs >= sinceNs && atNs <= untilNs);
    const count = tail === "all" || Number(tail) < 0 ? lines.length : Number(tail);
    for (const line of lines.slice(lines.length - Math.min(count, lines.length))) show(line);
    return flags.bool("follow") ? yield* follow(process, container, show) : 0;
  },
};

function* follow(process: Process, container: Container, show: (line: LogLine) => void): Program {
  const { listeners } = container.log;
  listeners.push(show);
  process.atExit(() => {
    const at = listeners.indexOf(show);
    if (at >= 0) listeners.splice(at, 1);
  });
  while (container.running) if ((yield { queues: [container.changed] }) === "signal") return 130;
  return 0;
}
