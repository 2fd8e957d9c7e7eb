/**
 * Holds a folder of shipped scenarios to what it promises. Each runs once, as a process of the compiled program, which gives both its report and its
 * capture: they hold, Wireshark with our dissectors finds nothing malformed, and the captures that are kept are these, byte for byte.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadInput } from "../../src/cli/load-input.ts";
import { scenarioSchema } from "../../src/scenario/schema.ts";
import { missing, runTool } from "../capture/external-tools.ts";
import { ROOT, vxlab } from "../cli/run-vxlab.ts";

/** Larger captures are not kept. */
const MOST_KEPT_BYTES = 200_000;
/**
 * What nothing in a capture may be. tshark takes a part of a segment that comes again for a contradiction, and of a connection whose beginning it has not
 * seen it lacks the names of headers (HPACK) that were said before.
 */
const MALFORMED =
  "_ws.malformed && !tcp.analysis.retransmission && !tcp.analysis.fast_retransmission && !(tcp.completeness && !(tcp.completeness & 1))";
const WRONG = `(${MALFORMED}) || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0`;

export interface ShippedRun {
  readonly name: string;
  readonly description: string;
  /** Where its capture lies for tools. */
  readonly path: string;
}

export function scenariosOf(folder: string): string[] {
  return readdirSync(join(ROOT, "scenarios", folder))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

export function descriptionOf(folder: string, name: string): string {
  return loadInput(join(ROOT, "scenarios", folder, `${name}.yaml`)).description ?? "";
}

/** What Wireshark shows of a capture through a display filter, one line a frame. */
export function shown(path: string, filter: string): string {
  const scripts = ["gossip", "swarm"].flatMap((name) => [
    "-X",
    `lua_script:${join(ROOT, "wireshark", `vxlab-${name}.lua`)}`,
  ]);
  const checks = ["ip", "udp", "tcp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`]);
  const run = runTool("tshark", ["-r", path, ...scripts, ...checks, "-Y", filter]);
  expect(run.status, run.err).toBe(0);
  return run.out.toString("utf8").trim();
}

/** `hasWrongChecksums`: scenarios that are about just that. */
export function checkFolder(
  folder: string,
  hasWrongChecksums: ReadonlySet<string>,
  more: (run: ShippedRun) => void,
): void {
  const names = scenariosOf(folder);
  const work = mkdtempSync(join(tmpdir(), `vxlab-${folder}-`));
  afterAll(() => rmSync(work, { recursive: true }));
  const keptOf = (name: string) => join(ROOT, "captures", folder, `${name}.pcapng`);

  it("has captures of its own scenarios only, all of them small", () => {
    const kept = readdirSync(join(ROOT, "captures", folder)).filter((file) => file.endsWith(".pcapng"));
    expect(kept.filter((file) => !names.includes(file.slice(0, -".pcapng".length)))).toEqual([]);
    for (const file of kept)
      expect(readFileSync(join(ROOT, "captures", folder, file)).length, file).toBeLessThanOrEqual(MOST_KEPT_BYTES);
  });

  it("has scenarios that editors find nothing wrong in", () => {
    const validate = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false }).compile(
      scenarioSchema(),
    );
    for (const name of names) {
      const value: unknown = parse(readFileSync(join(ROOT, "scenarios", folder, `${name}.yaml`), "utf8"));
      expect(validate(value), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  for (const name of names)
    describe(`scenarios/${folder}/${name}.yaml`, () => {
      const path = join(work, `${name}.pcapng`);
      const scenario = loadInput(join(ROOT, "scenarios", folder, `${name}.yaml`));

      it("holds, and gives the capture that is kept", { timeout: 120_000 }, () => {
        expect(scenario.name).toBe(name);
        expect(scenario.expect?.length ?? 0).toBeGreaterThan(0);
        const run = vxlab(["run", join(ROOT, "scenarios", folder, `${name}.yaml`), "-q", "-w", "-"], { cwd: work });
        expect(run.stderr).toBe("");
        expect(run.status).toBe(0);
        writeFileSync(path, run.bytes);
        if (run.bytes.length > MOST_KEPT_BYTES) expect(existsSync(keptOf(name))).toBe(false);
        else expect(run.bytes.equals(readFileSync(keptOf(name))), "npm run captures writes it anew").toBe(true);
      });

      it("gives a capture in which Wireshark finds nothing wrong", { timeout: 120_000 }, () => {
        if (missing("tshark")) return;
        if (hasWrongChecksums.has(name)) expect(shown(path, WRONG)).not.toBe("");
        else expect(shown(path, WRONG)).toBe("");
      });

      more({ name, description: scenario.description ?? "", path });
    });
}
