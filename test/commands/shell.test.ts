import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseShell } from "../../src/commands/shell-syntax.ts";
import { Machines, twoMachines } from "./machines.ts";

function run(line: string) {
  const { stdout, stderr, status } = new Machines().run("h", line);
  return { stdout, stderr, status };
}

describe("The shell (POSIX.1-2017 XCU §2)", () => {
  it.each([
    ["echo a   b", "a b\n"],
    ["echo 'a   b' \"c  d\" e\\ f", "a   b c  d e f\n"],
    ["X=1; echo $X ${X}2 '$X' \"$X\"", "1 12 $X 1\n"],
    ["X='a  b'; echo $X; echo \"$X\"", "a b\na  b\n"],
    ["true && echo yes || echo no", "yes\n"],
    ["false && echo yes || echo no", "no\n"],
    ["! false && echo yes", "yes\n"],
    ["false; echo $?", "1\n"],
    ["(exit 3); echo $?", "3\n"],
    ["echo a | cat", "a\n"],
    ["echo $(echo in) side", "in side\n"],
    ["echo a # b", "a\n"],
    ["echo a; # b\necho c", "a\nc\n"],
    ["sh -c 'echo $0 $1' x y", "x y\n"],
    ["cat <<< 'here'", "here\n"],
    ["echo lost >/dev/null; echo kept", "kept\n"],
    ["X=2 sh -c 'echo $X'; echo \"[$X]\"", "2\n[]\n"],
    ["exec echo last; echo never", "last\n"],
    ["exit 0; echo never", ""],
  ])("runs %s", (line, stdout) => {
    expect(run(line)).toEqual({ stdout, stderr: "", status: 0 });
  });

  it("says what bash says, with bash's status", () => {
    expect(run("nosuchword x")).toEqual({
      stdout: "",
      stderr: "bash: line 1: nosuchword: command not found\n",
      status: 127,
    });
    expect(run("ip link; )").status).toBe(2);
    expect(run("echo 'open")).toEqual({
      stdout: "",
      stderr: "bash: -c: line 1: unexpected EOF while looking for matching `''\n",
      status: 2,
    });
    expect(run("echo a > file").stderr).toBe("bash: line 1: file: Read-only file system\n");
    expect(run("ls ; echo $?").stdout).toBe("127\n");
    expect(run("sleep x")).toMatchObject({ stderr: expect.stringContaining("invalid time interval ‘x’"), status: 1 });
  });

  it("sends both outputs where a redirection says", () => {
    expect(run("ip link show nope 2>/dev/null; echo $?")).toEqual({ stdout: "1\n", stderr: "", status: 0 });
    expect(run("ip link show nope 2>&1").stdout).toBe('Device "nope" does not exist.\n');
    expect(run("ip link show nope >/dev/null 2>&1")).toEqual({ stdout: "", stderr: "", status: 1 });
    expect(run("ip link show nope &>/dev/null")).toEqual({ stdout: "", stderr: "", status: 1 });
  });

  it("lets virtual time pass for those who wait alone", () => {
    const machines = new Machines();
    const before = machines.world.simulation.nowNs;
    const instant = machines.start("h", "ip link && ip addr && sysctl -a | cat");
    expect(instant.status).toBe(0);
    expect(machines.world.simulation.nowNs).toBe(before);
    const waiting = machines.start("h", "sleep 1.5; echo done");
    machines.pass(1.4);
    expect(waiting.status).toBeUndefined();
    machines.pass(0.2);
    expect(waiting.stdout).toBe("done\n");
  });

  it("runs a command in the background and waits for it when told", () => {
    const machines = new Machines();
    const running = machines.start("h", "sleep 2 & echo at once; wait; echo later");
    expect(running.stdout).toBe("at once\n");
    machines.pass(2.1);
    expect(running.stdout).toBe("at once\nlater\n");
  });

  it("passes a signal on to the command that it waits for, whose sockets are closed", () => {
    const machines = twoMachines();
    const running = machines.start("a", "ping 10.0.0.2; echo after");
    machines.pass(2.5);
    running.process.kill("SIGINT");
    machines.pass(0.5);
    expect(running.stdout).toMatch(/3 packets transmitted, 3 received, 0% packet loss/);
    expect(running.status).toBeDefined();
    expect(machines.host("a").processes.size).toBe(0);
  });

  it("reads any text without an exception", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab$'\"\\;&|<>()! \n2{}?") }), (text) => {
        const list = parseShell(text);
        expect("problem" in list || Array.isArray(list)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("gives quoted text back as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab$"\\;&|<>() \n') }), (text) => {
        expect(run(`echo -n '${text}'`).stdout).toBe(text);
      }),
    );
  });
});
