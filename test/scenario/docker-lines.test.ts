import { describe, expect, it } from "vitest";
import { networkLine, runLineOf } from "../../src/scenario/docker-lines.ts";
import { scenarioFrom } from "../../src/scenario/load.ts";

function linesOf(containers: object, networks: object = {}): string[] {
  const scenario = scenarioFrom({ name: "a", engine: null, nodes: { n1: {} }, networks, containers });
  return [
    ...[...scenario.networks!].map(([name, spec]) => networkLine(name, spec)),
    ...[...scenario.containers!].map(([name, spec]) => runLineOf(name, spec)),
  ];
}

describe("A container of a scenario with engines, as a line of docker run", () => {
  it("is short where the scenario says little", () => {
    expect(linesOf({ c1: { node: "n1" } })).toEqual(["docker run -d --name c1 alpine"]);
  });

  it("has all that the scenario says, each word quoted where the shell would take it apart", () => {
    expect(
      linesOf(
        {
          c1: {
            node: "n1",
            networks: { app: { address: "10.1.0.9", mac: "02:42:0a:01:00:09", aliases: ["a", "b"] }, bridge: null },
            image: "nginx:1.27",
            command: "sh -c 'echo \"$HOME\" it'",
            environment: { A: "it's", B: 1, C: null },
            ports: ["8080:80", 53],
            expose: [81],
            hostname: "web",
            labels: { tier: "front end" },
            restart: "on-failure:3",
            options: ["--health-cmd 'curl localhost'"],
          },
        },
        { app: { subnet: "10.1.0.0/24" } },
      )[1],
    ).toBe(
      "docker run -d --name c1 --network name=app,ip=10.1.0.9,mac-address=02:42:0a:01:00:09,alias=a,alias=b --network bridge " +
        `-e 'A=it'\\''s' -e B=1 -e C= -p 8080:80 -p 53 --expose 81 --hostname web --label 'tier=front end' --restart on-failure:3 ` +
        `--health-cmd 'curl localhost' nginx:1.27 sh -c 'echo "$HOME" it'`,
    );
  });
});

describe("A bridge network of a scenario with engines, as a line of docker network create", () => {
  it("has its subnets, options and labels", () => {
    const networks = {
      app: {
        internal: true,
        mtu: 1400,
        labels: { a: "b" },
        ipam: { config: [{ subnet: "10.2.0.0/24", gateway: "10.2.0.254" }] },
        driver_opts: { "com.docker.network.bridge.name": "br9" },
      },
    };
    expect(linesOf({}, networks)).toEqual([
      "docker network create -d bridge --internal --subnet 10.2.0.0/24 --gateway 10.2.0.254 -o com.docker.network.driver.mtu=1400 " +
        "-o com.docker.network.bridge.name=br9 --label a=b app",
    ]);
  });
});
