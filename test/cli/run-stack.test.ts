import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT, vxlab } from "./run-vxlab.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "stacks-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));
const LONG_MS = 60_000;

function stackFile(name: string, text: string): string {
  const file = join(FOLDER, name);
  writeFileSync(file, text);
  return file;
}

describe("vxlab run of a stack file", () => {
  it(
    "reports what runs where, as JSON too, and ends with 0 when all holds",
    () => {
      const file = stackFile("docker-stack.yml", "services: {web: {image: 'nginx:$TAG', ports: ['8080:80']}}\n");
      const words = ["run", file, "--nodes", "2", "--stack-name", "site", "--no-capture-file"];
      const { status, stdout } = vxlab([...words, "--json"], { env: { TAG: "1.27" } });
      expect(status).toBe(0);
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({ version: 1, stack: "site", holds: true, missing: [] });
      expect(report.tasks).toMatchObject([{ name: "site_web.1", image: "nginx:1.27", serves: ["http 80"] }]);
      expect(report.networks).toMatchObject([
        { name: "site_default", subnets: ["10.0.1.0/24"], vnis: [4_097], mtu: 1_450 },
      ]);
      const text = vxlab(words, { env: { TAG: "1.27" } }).stdout;
      expect(text).toContain("8080/tcp   ingress   site_web:80   every node\n");
      expect(text).toContain("checks hold");
    },
    LONG_MS,
  );

  it(
    "ends with 1 when something does not run, and says why",
    () => {
      const file = stackFile(
        "gpu.yml",
        "services: {web: {image: a, deploy: {placement: {constraints: [node.labels.gpu == yes]}}}}\n",
      );
      const { status, stdout } = vxlab(["run", file, "--nodes", "1", "--no-capture-file", "-q"]);
      expect(status).toBe(1);
      expect(stdout).toContain(
        "not running a task of gpu_web (pending): no suitable node (scheduling constraints not satisfied on 1 node)\n",
      );
    },
    LONG_MS,
  );

  it.each([
    ["unknown-key", "5:5: services.web.deploy Additional property replica is not allowed"],
    [
      "missing-variable",
      '3:12: invalid interpolation format for services.web.image: "required variable TAG is missing a value: say which"',
    ],
    ["wrong-indent", "5:4: yaml: line 2: did not find expected key"],
  ])("ends with 2 for a file that Docker refuses, with its words and a place: %s", (name, message) => {
    const { status, stderr } = vxlab(["run", join(ROOT, "scenarios/stacks/mistakes", `${name}.yml`)]);
    expect({ status }).toEqual({ status: 2 });
    expect(stderr).toContain(message);
  });

  it("ends with 2 for machines that cannot be", () => {
    const file = stackFile("a.yml", "services: {web: {image: a}}\n");
    expect(vxlab(["run", file, "--nodes", "0"])).toMatchObject({ status: 2 });
    expect(vxlab(["run", file, "--nodes", "2", "--managers", "3"])).toMatchObject({
      status: 2,
      stderr: "vxlab: error: --managers 3: there are only 2 nodes\n",
    });
    expect(vxlab(["run", file, "--label", "node9=a=b"])).toMatchObject({
      status: 2,
      stderr: "vxlab: error: --label node9=a=b: there is no node9; there are node1 to node3\n",
    });
  });
});
