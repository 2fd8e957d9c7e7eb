/** Words that every user of a shell takes for granted: `true`, `false`, `echo`, `sleep`, `cat`, `hostname`. */
import { formatResolvConf } from "../docker/resolver/resolv-conf.ts";
import { type Process, type Program, sleep } from "../linux/process.ts";
import { SECOND } from "../sim/time.ts";
import { failure, instantWord, success, type Word } from "./word.ts";

const SLEEP_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["s", 1],
  ["m", 60],
  ["h", 3_600],
  ["d", 86_400],
]);

const SLEEP: Word = {
  name: "sleep",
  *run(process: Process, _context, argv): Program {
    if (argv.length === 0) {
      process.stderr.write("sleep: missing operand\nTry 'sleep --help' for more information.\n");
      return 1;
    }
    let seconds = 0;
    for (const argument of argv) {
      const match = /^(\d+(?:\.\d*)?|\.\d+)([smhd]?)$/.exec(argument);
      if (match === null) {
        process.stderr.write(`sleep: invalid time interval ‘${argument}’\nTry 'sleep --help' for more information.\n`);
        return 1;
      }
      seconds += Number(match[1]) * SLEEP_UNITS.get(match[2]!)!;
    }
    const whole = yield* sleep(process, Math.round(seconds * SECOND));
    return whole ? 0 : 130;
  },
};

const ECHO = instantWord("echo", (argv) => {
  const bare = argv[0] === "-n";
  const rest = bare || argv[0] === "-e" ? argv.slice(1) : argv;
  return success(`${rest.join(" ")}${bare ? "" : "\n"}`);
});

const CAT = instantWord("cat", (argv, context) => {
  const files = argv.filter((argument) => argument !== "-");
  if (files.length === 0) return success(context.stdin);
  if (files[0] === "/etc/hosts") {
    let text = "";
    for (const [name, address] of context.host.hostsFile)
      text += `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")}\t${name}\n`;
    return success(text);
  }
  if (files[0] === "/etc/resolv.conf") return success(formatResolvConf(context.host.resolvConf));
  if (files[0] === "/etc/hostname") return success(`${context.host.name}\n`);
  return failure(1, `cat: ${files[0]}: No such file or directory`);
});

export const BASIC_WORDS: readonly Word[] = [
  instantWord("true", () => success()),
  instantWord("false", () => ({ status: 1, stdout: "", stderr: "" })),
  ECHO,
  SLEEP,
  CAT,
  instantWord("hostname", (_argv, context) => success(`${context.host.name}\n`)),
];
