/** `vxlab run`: what it writes and where, what it says and on which stream, how it ends. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture-reader.ts";
import type { RunReport } from "../../src/scenario/report.ts";
import { filesIn, inEmptyFolder, PING_SCENARIO, PROGRAM, vxlab } from "./run-vxlab.ts";

const FAILING = PING_SCENARIO.replace("received: 1", "received: 2");

/** Runs in a folder that holds `s.yaml`. */
function withScenario<T>(text: string, work: (folder: string) => T): T {
  return inEmptyFolder((folder) => {
    writeFileSync(join(folder, "s.yaml"), text);
    return work(folder);
  });
}

describe("vxlab run", () => {
  it("writes one capture and a list of what it wrote, and says what happened", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const { status, stdout, stderr } = vxlab(["run", "s.yaml"], { cwd: folder });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("1.000000 c1$ ping -c 1 c2");
      expect(stdout).toContain("1 packets transmitted, 1 received, 0% packet loss");
      expect(stdout).toContain("holds  p: received 1 (1)");
      expect(stdout).toMatch(/\d+ frames = \d+ delivered \+ \d+ consumed \+ \d+ dropped \+ \d+ in flight/);
      expect(stdout).toContain(`capture: ${join("captures", "small", "small.pcapng")}`);
      expect(stdout).not.toContain("\u001b");
      expect(filesIn(folder)).toEqual(["captures/small/.vxlab-run.json", "captures/small/small.pcapng", "s.yaml"]);
    });
  });

  it("ends with 1 when an expectation fails, and says what was found; with the capture all the same", () => {
    withScenario(FAILING, (folder) => {
      const { status, stdout } = vxlab(["run", "s.yaml", "-q"], { cwd: folder });
      expect(status).toBe(1);
      expect(stdout).toBe("FAILS  expected p: received 2, found 1\n");
      expect(filesIn(folder)).toContain("captures/small/small.pcapng");
    });
  });

  it("says nothing when it is to be quiet and all holds", () => {
    withScenario(PING_SCENARIO, (folder) => {
      expect(vxlab(["run", "s.yaml", "-q", "--no-capture-file"], { cwd: folder })).toMatchObject({
        status: 0,
        stdout: "",
        stderr: "",
      });
      expect(filesIn(folder)).toEqual(["s.yaml"]);
    });
  });

  it("gives its report as one JSON document", () => {
    withScenario(FAILING, (folder) => {
      const { status, stdout, stderr } = vxlab(["run", "s.yaml", "--json", "--seed", "x y"], { cwd: folder });
      expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
      const report = JSON.parse(stdout) as RunReport;
      expect(report).toMatchObject({ version: 1, scenario: "small", seed: "x y", holds: false, problems: [] });
      expect(report.commands[0]).toMatchObject({ as: "p", host: "c1", line: "ping -c 1 c2", status: 0 });
      expect(report.expectations.map(({ holds }) => holds)).toEqual([false, true]);
      const { made, delivered, consumed, dropped, inFlight } = report.frames;
      expect(made).toBe(delivered + consumed + dropped + inFlight);
      expect(report.files).toEqual([join("captures", "small", "small.pcapng")]);
    });
  });

  it("reads the scenario from standard input and writes the capture to standard output, the report to stderr", () => {
    inEmptyFolder((folder) => {
      const { status, bytes, stderr } = vxlab(["run", "-", "-w", "-"], { cwd: folder, input: PING_SCENARIO });
      expect(status).toBe(0);
      expect(stderr).toContain("holds  p: received 1");
      expect(filesIn(folder)).toEqual([]);
      const capture = readCapture(bytes);
      expect(capture.problem).toBeUndefined();
      expect(capture.frames.length).toBeGreaterThan(6);
      vxlab(["run", "-", "-w", "a/b/c.pcapng"], { cwd: folder, input: PING_SCENARIO });
      expect(readFileSync(join(folder, "a/b/c.pcapng"))).toEqual(bytes);
    });
  });

  it("takes a plain file of commands, which went well when its last one did", () => {
    inEmptyFolder((folder) => {
      const script = (last: string): string =>
        `ip netns add a\nip netns add b\nip link add v netns a type veth peer name v netns b\nip -n a addr add 10.0.0.1/24 dev v\nip -n b addr add 10.0.0.2/24 dev v\nip -n a link set v up\nip -n b link set v up\n${last}\n`;
      writeFileSync(join(folder, "good.sh"), script("ip netns exec a ping -c 1 10.0.0.2"));
      writeFileSync(join(folder, "bad.sh"), script("ip netns exec a ping -c 1 -W 1 10.0.0.3"));
      expect(vxlab(["run", "good.sh", "-q"], { cwd: folder })).toMatchObject({ status: 0, stdout: "", stderr: "" });
      expect(vxlab(["run", "bad.sh", "-q"], { cwd: folder })).toMatchObject({
        status: 1,
        stdout: "FAILS  expected script: exit 0, found 1\n",
      });
      expect(existsSync(join(folder, "captures/good/good.pcapng"))).toBe(true);
    });
  });

  it("writes one classic file for each interface when asked for, cut to the snap length", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const words = ["run", "s.yaml", "-q", "--format", "pcap", "--snaplen", "60", "-o", "out"];
      expect(vxlab(words, { cwd: folder })).toMatchObject({ status: 0, stdout: "", stderr: "" });
      const files = ["c1.eth0.pcap", "n1.eth0.pcap", "n2.eth0.pcap"];
      expect(filesIn(join(folder, "out"))).toEqual([".vxlab-run.json", ...files]);
      const bytes = readFileSync(join(folder, "out", "n1.eth0.pcap"));
      expect(bytes.readUInt32LE(16)).toBe(60);
      expect(vxlab([...words, "-w", "x.pcap"], { cwd: folder }).status).toBe(2);
      expect(vxlab([...words, "-w", "-"], { cwd: folder }).status).toBe(2);
    });
  });

  it("captures the interfaces that it is told, and refuses those that are not there", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const one = vxlab(["run", "s.yaml", "-q", "-o", "one", "-i", "c2/eth0", "--format", "pcap"], { cwd: folder });
      expect(one.status).toBe(0);
      expect(filesIn(join(folder, "one"))).toEqual([".vxlab-run.json", "c2.eth0.pcap"]);
      const none = vxlab(["run", "s.yaml", "-o", "none", "-i", "c9/*"], { cwd: folder });
      expect(none).toMatchObject({ status: 2, stdout: "" });
      expect(none.stderr).toContain("--capture c9/*: no interface is called so; expected one of n1/lo, n1/eth0");
      expect(existsSync(join(folder, "none"))).toBe(false);
    });
  });

  it("writes the frames that were dropped, each with its reason, when asked for", () => {
    withScenario(PING_SCENARIO, (folder) => {
      vxlab(["run", "s.yaml", "-q", "--drops", "-w", "d.pcapng"], { cwd: folder });
      const text = readFileSync(join(folder, "d.pcapng"), "latin1");
      expect(text).toContain("DROP arp-ignored at n1/net/br0: nobody here answers for the ARP target address");
    });
  });

  it("ends at the time it is told", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const { status, stdout } = vxlab(["run", "s.yaml", "--json", "--until", "500ms"], { cwd: folder });
      expect(status).toBe(1); // nothing has been pinged yet
      expect((JSON.parse(stdout) as RunReport).endNs).toBe(500_000_000);
    });
  });
});

describe("The folder that vxlab run writes to", () => {
  it("is written again by a second run", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const file = join(folder, "captures/small/small.pcapng");
      vxlab(["run", "s.yaml", "-q"], { cwd: folder });
      const first = readFileSync(file);
      expect(vxlab(["run", "s.yaml", "-q", "--seed", "2"], { cwd: folder }).status).toBe(0);
      expect(readFileSync(file)).not.toEqual(first);
      expect(vxlab(["run", "s.yaml", "-q"], { cwd: folder }).status).toBe(0);
      expect(readFileSync(file)).toEqual(first);
    });
  });

  it("keeps a file that vxlab did not write, or that was changed since, and nothing else is written then", () => {
    withScenario(PING_SCENARIO, (folder) => {
      const file = join(folder, "captures/small/small.pcapng");
      mkdirSync(join(folder, "captures/small"), { recursive: true });
      writeFileSync(file, "mine");
      const foreign = vxlab(["run", "s.yaml"], { cwd: folder });
      expect(foreign).toMatchObject({ status: 2, stdout: "" });
      expect(foreign.stderr).toContain("is there already and was not written by vxlab");
      expect(readFileSync(file, "utf8")).toBe("mine");
      expect(filesIn(folder)).toEqual(["captures/small/small.pcapng", "s.yaml"]);

      vxlab(["run", "s.yaml", "-q", "-o", "out"], { cwd: folder });
      const written = join(folder, "out/small.pcapng");
      writeFileSync(written, Buffer.concat([readFileSync(written), Buffer.of(0)]));
      expect(vxlab(["run", "s.yaml", "-o", "out"], { cwd: folder }).status).toBe(2);
    });
  });

  it("may be one that cannot be written: one message, exit 2", () => {
    withScenario(PING_SCENARIO, (folder) => {
      mkdirSync(join(folder, "folder"));
      spawnSync("mkfifo", ["pipe"], { cwd: folder });
      for (const words of [
        ["-o", "s.yaml"],
        ["-w", "/proc/nowhere/x.pcapng"],
        ["-w", "folder"],
        ["-w", "pipe"], // not even looked into: it might never end
      ]) {
        const { status, stdout, stderr } = vxlab(["run", "s.yaml", ...words], { cwd: folder });
        expect({ status, stdout }, words.join(" ")).toEqual({ status: 2, stdout: "" });
        expect(stderr, words.join(" ")).toMatch(/^vxlab: error: .*\n$/);
      }
      const full = spawnSync("bash", ["-c", `"${process.execPath}" "${PROGRAM}" run s.yaml -q -w - > /dev/full`], {
        cwd: folder,
        encoding: "utf8",
      });
      expect(full.status).toBe(2);
      expect(full.stderr).toMatch(/^vxlab: error: cannot write to stdout: ENOSPC/);
      expect(filesIn(folder)).toEqual(["s.yaml"]);
    });
  });

  it("holds nothing half-written after an interruption, which ends with 130", async () => {
    const endless = PING_SCENARIO.replace("ping -c 1 c2", "ping -i 0.001 -c 100000000 c2");
    const folder = mkdtempSync(join(tmpdir(), "vxlab-"));
    try {
      writeFileSync(join(folder, "s.yaml"), endless);
      const run = spawn(process.execPath, [PROGRAM, "run", "s.yaml"], {
        cwd: folder,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stderr = "";
      run.stderr.on("data", (chunk) => {
        stderr += String(chunk);
      });
      const ended = once(run, "close");
      while (!existsSync(join(folder, "captures/small"))) await later(20);
      await later(300);
      run.kill("SIGINT");
      const [status] = (await ended) as [number];
      expect(status).toBe(130);
      expect(stderr).toBe("vxlab: interrupted; nothing was written\n");
      expect(filesIn(folder)).toEqual(["s.yaml"]);
      expect(existsSync(join(folder, "captures"))).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("Colour", () => {
  it("is for terminals alone, and not for those who do not want it", () => {
    if (spawnSync("script", ["--version"]).error !== undefined) return; // the program that makes a terminal
    withScenario(PING_SCENARIO, (folder) => {
      const onTerminal = (env: Record<string, string>): string =>
        spawnSync("script", ["-qec", `"${process.execPath}" "${PROGRAM}" run s.yaml`, "/dev/null"], {
          cwd: folder,
          env: { PATH: process.env["PATH"], TERM: "xterm", ...env },
          encoding: "utf8",
        }).stdout;
      expect(onTerminal({})).toContain("\u001b[32mholds\u001b[0m");
      expect(onTerminal({ NO_COLOR: "1" })).not.toContain("\u001b[32m");
    });
  });
});
