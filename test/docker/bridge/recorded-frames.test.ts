/** Recordings 06 and 07 frame by frame, as an interface in a container saw them; the commands come at the recorded times. */
import { describe, expect, it } from "vitest";
import type { Container } from "../../../src/docker/container/container.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { describe as line } from "../../../src/wire/describe.ts";
import { EngineLab } from "../engine-lab.ts";

const MY_BRIDGE = [{ network: "mybr", aliases: [] }];

/** What passes a container's `eth0` from now on: seconds since now, and the frame. */
function watch(lab: EngineLab, container: Container, keep: (text: string) => boolean): [number, string][] {
  const lines: [number, string][] = [];
  const { simulation, frames } = lab.world;
  const startNs = simulation.nowNs;
  container.namespace!.device("eth0")!.tap = {
    frame: (frame) => {
      const text = line(frames.bytes, frames.start(frame), frames.end(frame));
      if (keep(text)) lines.push([(simulation.nowNs - startNs) / SECOND, text]);
    },
  };
  return lines;
}

/** node1_b1_eth0.pcap of 06, less IPv6 and TCP. */
const RECORDED_06: readonly [number, string][] = [
  [6.854, "ARP who-has 172.19.0.3 tell 172.19.0.2"],
  [6.858, "ARP reply 172.19.0.3 is-at 02:42:ac:13:00:03"],
  [6.859, "172.19.0.2 > 172.19.0.3: ICMP echo request"],
  [6.862, "172.19.0.3 > 172.19.0.2: ICMP echo reply"],
  [7.888, "172.19.0.2 > 172.19.0.3: ICMP echo request"],
  [7.888, "172.19.0.3 > 172.19.0.2: ICMP echo reply"],
  [9.484, "172.19.0.2 > 172.19.0.3: ICMP echo request"],
  [9.484, "172.19.0.3 > 172.19.0.2: ICMP echo reply"],
  [10.485, "172.19.0.2 > 172.19.0.3: ICMP echo request"],
  [10.485, "172.19.0.3 > 172.19.0.2: ICMP echo reply"],
  [12.028, "ARP who-has 172.19.0.2 tell 172.19.0.3"],
  [12.028, "ARP reply 172.19.0.2 is-at 02:42:ac:13:00:02"],
  [14.722, "ARP who-has 172.19.0.1 tell 172.19.0.2"],
  [14.722, "ARP reply 172.19.0.1 is-at"],
  [14.722, "172.19.0.2 > 172.19.0.1: ICMP echo request"],
  [14.722, "172.19.0.1 > 172.19.0.2: ICMP echo reply"],
  [15.723, "172.19.0.2 > 172.19.0.1: ICMP echo request"],
  [15.724, "172.19.0.1 > 172.19.0.2: ICMP echo reply"],
  [19.975, "ARP who-has 172.19.0.2 tell 172.19.0.1"],
  [19.976, "ARP reply 172.19.0.2 is-at 02:42:ac:13:00:02"],
  [26.349, "172.19.0.2 > 172.17.0.2: ICMP echo request"],
  [27.351, "172.19.0.2 > 172.17.0.2: ICMP echo request"],
  [38.81, "172.19.0.2 > 192.168.50.100: ICMP echo request"],
  [38.811, "192.168.50.100 > 172.19.0.2: ICMP echo reply"],
  [39.815, "172.19.0.2 > 192.168.50.100: ICMP echo request"],
  [39.816, "192.168.50.100 > 172.19.0.2: ICMP echo reply"],
];
/** The recorded machine is slow; the kernel's timers count in ticks of 4 ms, and some are drawn. */
const SLACK_SECONDS = 0.25;

describe("Frames on a bridge, as recorded (06)", () => {
  it("pass a container's interface in the recorded order, at the recorded times", () => {
    const lab = new EngineLab("20.10");
    lab.engine.gatewayNetwork();
    lab.bridge("mybr");
    const b1 = lab.start("b1", "sleep 100000", { networks: MY_BRIDGE });
    lab.start("b2", "serve http 80", { networks: MY_BRIDGE });
    lab.start("d1", "sleep 100000");
    lab.wait(20 * SECOND);
    const seen = watch(lab, b1, (text) => /ARP|ICMP/.test(text));
    const startNs = lab.world.simulation.nowNs;
    for (const [atSeconds, command] of [
      [6.854, "ping -c 2 172.19.0.3"],
      [9.484, "ping -c 2 b2"],
      [13.445, "curl -s http://b2/"],
      [14.722, "ping -c 2 172.19.0.1"],
      [26.349, "ping -c 2 -W 2 172.17.0.2"],
      [38.81, "ping -c 2 192.168.50.100"],
    ] as const) {
      lab.world.simulation.run(startNs + Math.round(atSeconds * SECOND));
      lab.on(b1, command);
    }
    expect(seen.map(([, text]) => text)).toEqual(RECORDED_06.map(([, text]) => expect.stringContaining(text)));
    for (const [index, [atSeconds]] of seen.entries())
      expect(Math.abs(atSeconds - RECORDED_06[index]![0])).toBeLessThan(SLACK_SECONDS);
  });
});

describe("Frames to a published port, as recorded (07)", () => {
  it("begin as recorded: from outside, by the userland proxy, and from the node's own address", () => {
    const lab = new EngineLab("20.10");
    lab.engine.gatewayNetwork();
    lab.bridge("mybr");
    const networks = MY_BRIDGE;
    lab.start("b1", "sleep 100000", { networks });
    lab.start("b2", "sleep 100000", { networks });
    const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_081 }] as const;
    const p1 = lab.start("p1", "serve http 80", { networks, ports });
    lab.wait(20 * SECOND);
    const seen = watch(lab, p1, (text) => /ARP|Flags \[S/.test(text));
    lab.on(lab.client, "curl -s http://192.168.50.11:8081/");
    lab.on(lab.node, "curl -s http://127.0.0.1:8081/");
    lab.on(lab.node, "curl -s http://192.168.50.11:8081/");
    expect(seen.map(([, text]) => text.replace(/(\d)\.\d{5}(?= >|:)/g, "$1.PORT"))).toEqual([
      expect.stringContaining("ARP who-has 172.19.0.4 tell 172.19.0.1"),
      expect.stringContaining("ARP reply 172.19.0.4 is-at 02:42:ac:13:00:04"),
      expect.stringMatching(/192\.168\.50\.100\.PORT > 172\.19\.0\.4\.80: Flags \[S\].*mss 1460/),
      expect.stringMatching(/172\.19\.0\.4\.80 > 192\.168\.50\.100\.PORT: Flags \[S\.\].*win 65160.*mss 1460/),
      expect.stringMatching(/172\.19\.0\.1\.PORT > 172\.19\.0\.4\.80: Flags \[S\].*win 64240.*mss 1460/),
      expect.stringMatching(/172\.19\.0\.4\.80 > 172\.19\.0\.1\.PORT: Flags \[S\.\].*win 65160.*mss 1460/),
      expect.stringMatching(/192\.168\.50\.11\.PORT > 172\.19\.0\.4\.80: Flags \[S\].*win 65495.*mss 65495/),
      expect.stringMatching(/172\.19\.0\.4\.80 > 192\.168\.50\.11\.PORT: Flags \[S\.\].*win 65160.*mss 1460/),
    ]);
  });
});
