/** The scenarios that come with vxlab: they are valid, they hold, Wireshark finds nothing wrong in their captures, and these are always the same. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadInput } from "../../src/cli/load-input.ts";
import { Lab } from "../../src/scenario/lab.ts";
import { scenarioSchema } from "../../src/scenario/schema.ts";
import { missing, runTool } from "../capture/external-tools.ts";
import { PROGRAM, ROOT, vxlab } from "../cli/run-vxlab.ts";

const FOLDER = join(ROOT, "scenarios");
const files = readdirSync(FOLDER).filter((name) => /\.(yaml|sh)$/.test(name));
const stem = (file: string): string => file.replace(/\.[a-z]+$/, "");

const work = mkdtempSync(join(tmpdir(), "vxlab-shipped-"));
afterAll(() => rmSync(work, { recursive: true }));

/** What the compiled program writes, elsewhere, in another language and time zone. */
const captures = new Map<string, Buffer>();
function captureOf(file: string): Buffer {
  let bytes = captures.get(file);
  if (bytes === undefined) {
    const elsewhere = { TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" };
    const run = vxlab(["run", join(FOLDER, file), "-q", "-w", "-"], { cwd: work, env: elsewhere });
    expect(run.stderr).toBe("");
    bytes = run.bytes;
    captures.set(file, bytes);
  }
  return bytes;
}

describe("The shipped scenarios", () => {
  it("show what the first release can do", () => {
    expect(files.map(stem)).toEqual(
      expect.arrayContaining([
        "first-ping",
        "first-ping-flood-and-learn",
        "mtu-trap",
        "one-bridge",
        "wrong-vni",
        "mac-move",
      ]),
    );
    expect(files.some((file) => file.endsWith(".sh"))).toBe(true);
  });

  it("have one reference capture each, and no other is kept", () => {
    expect(readdirSync(join(ROOT, "captures")).filter((name) => name.endsWith(".pcapng"))).toEqual(
      files.map((file) => `${stem(file)}.pcapng`).sort(),
    );
  });
});

for (const file of files)
  describe(`scenarios/${file}`, () => {
    const scenario = loadInput(join(FOLDER, file));

    it("is called like its file and says what it shows", () => {
      expect(scenario.name).toBe(stem(file));
      if (file.endsWith(".yaml")) expect(scenario.description ?? "").not.toBe("");
      expect(scenario.expect?.length ?? 0).toBeGreaterThan(0);
    });

    it("holds, and no frame vanishes", () => {
      const report = new Lab(scenario).run();
      expect(report.problems).toEqual([]);
      expect(report.expectations.filter(({ holds }) => !holds)).toEqual([]);
      const { made, delivered, consumed, dropped, inFlight } = report.frames;
      expect(made).toBe(delivered + consumed + dropped + inFlight);
      expect(made).toBeGreaterThan(0);
    });

    it("gives the capture that is kept, byte for byte, whatever the folder, language and time zone", () => {
      const kept = readFileSync(join(ROOT, "captures", `${stem(file)}.pcapng`));
      expect(captureOf(file).equals(kept), "npm run captures writes it anew").toBe(true);
      // And in the place where people run it.
      const here = spawnSync(process.execPath, [PROGRAM, "run", join("scenarios", file), "-q", "-w", "-"], {
        cwd: ROOT,
      });
      expect(here.stdout.equals(kept)).toBe(true);
    });

    it("gives a capture in which Wireshark finds nothing malformed and no wrong checksum", () => {
      if (missing("tshark")) return;
      const path = join(work, `${stem(file)}.pcapng`);
      writeFileSync(path, captureOf(file));
      const checks = ["ip", "udp", "tcp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`]);
      const wrong =
        "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0 || igmp.checksum.status == 0";
      const bad = runTool("tshark", ["-r", path, ...checks, "-Y", wrong]);
      expect(bad.status).toBe(0);
      expect(bad.out.toString("utf8")).toBe("");
      const all = runTool("tshark", ["-r", path, "-T", "fields", "-e", "frame.interface_name"]);
      expect(all.out.toString("utf8").trim().split("\n").length).toBeGreaterThan(2);
    });
  });

describe("scenario.schema.json", () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
  const validate = ajv.compile(scenarioSchema());

  it("accepts every shipped scenario", () => {
    for (const file of files.filter((name) => name.endsWith(".yaml"))) {
      const value: unknown = parse(readFileSync(join(FOLDER, file), "utf8"));
      expect(validate(value), `${file}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it("refuses what the reader refuses for its shape", () => {
    for (const value of [
      {},
      { name: "a", banana: 1 },
      { name: "a b" },
      { name: "a", nodes: { n1: { role: "boss" } } },
      { name: "a", networks: { net: { vni: 0 } } },
      { name: "a", steps: [{ in: "c1", run: "true" }] },
      { name: "a", expect: {} },
    ])
      expect(validate(value), JSON.stringify(value)).toBe(false);
  });

  it("lets extensions pass and leaves out what may be left out", () => {
    expect(validate({ name: "a", "x-note": 1, nodes: { n1: null } }), JSON.stringify(validate.errors)).toBe(true);
  });
});
