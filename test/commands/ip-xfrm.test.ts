import { describe, expect, it } from "vitest";
import { CommandError } from "../../src/commands/command-error.ts";
import { Arguments } from "../../src/commands/ip/arguments.ts";
import { defaultIpOptions, type IpContext } from "../../src/commands/ip/ip-context.ts";
import { xfrm } from "../../src/commands/ip/xfrm.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import { World } from "../../src/linux/world.ts";

function makeNamespace(): NetworkNamespace {
  return new World({ seed: 1 }).createNamespace("n1");
}

/** What `ip xfrm WORDS` prints; its error text and status when it fails. */
function run(
  namespace: NetworkNamespace,
  line: string,
  options: { statistics?: number; oneline?: boolean } = {},
): string {
  const context = { namespace, options: { ...defaultIpOptions(), ...options } } as IpContext;
  try {
    return xfrm(context, new Arguments(line.split(/\s+/).filter((word) => word !== "")));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return `${error.status}: ${error.message}`;
  }
}

const KEY = "0x293c58189fcbae91851d43cc7ba5062b53a7cc90";
const STATE =
  "state add src 192.168.50.11 dst 192.168.50.12 proto esp spi 0x53a7cc90 reqid 13681891 mode transport" +
  ` replay-window 0 aead rfc4106(gcm(aes)) ${KEY} 64`;

describe("ip xfrm state", () => {
  it("prints what a real one printed on a swarm's node", () => {
    const namespace = makeNamespace();
    expect(run(namespace, `${STATE} replay-oseq 13`)).toBe("");
    const text =
      "src 192.168.50.11 dst 192.168.50.12\n" +
      "\tproto esp spi 0x53a7cc90 reqid 13681891 mode transport\n" +
      "\treplay-window 0 \n" +
      `\taead rfc4106(gcm(aes)) ${KEY} 64\n` +
      "\tanti-replay context: seq 0x0, oseq 0xd, bitmap 0x00000000\n" +
      "\tsel src 0.0.0.0/0 dst 0.0.0.0/0 \n";
    expect(run(namespace, "state")).toBe(text);
    expect(run(namespace, "state list")).toBe(text);
    expect(run(namespace, "state get src 192.168.50.11 dst 192.168.50.12 proto esp spi 0x53a7cc90")).toBe(text);
    expect(run(namespace, "state list reqid 5")).toBe("");
    expect(run(namespace, "state list nokeys")).toContain("<<Keys hidden>>");
    expect(run(namespace, "state count")).toBe("\t SAD count 1\n");
  });

  it("lists the newest first, and forgets by name or all at once", () => {
    const namespace = makeNamespace();
    run(namespace, STATE);
    run(namespace, STATE.replace("0x53a7cc90", "7"));
    expect([...run(namespace, "state").matchAll(/spi (\S+)/g)].map(([, spi]) => spi)).toEqual([
      "0x00000007",
      "0x53a7cc90",
    ]);
    expect(run(namespace, STATE)).toBe("2: RTNETLINK answers: File exists");
    expect(run(namespace, STATE.replace("add", "update"))).toBe("");
    expect(run(namespace, "state del dst 192.168.50.12 proto esp spi 7")).toBe("");
    expect(run(namespace, "state del dst 192.168.50.12 proto esp spi 7")).toBe("2: RTNETLINK answers: No such process");
    expect(run(namespace, "state flush proto ah")).toBe("");
    expect(run(namespace, "state count")).toBe("\t SAD count 1\n");
    expect(run(namespace, "state flush")).toBe("");
    expect(run(namespace, "state")).toBe("");
  });

  it("shows marks, windows, flags, limits and use", () => {
    const namespace = makeNamespace();
    const words =
      "mark 0x10 mask 0xff output-mark 5 flag nopmtudisc icmp extra-flag oseq-may-wrap limit packet-hard 10";
    run(namespace, STATE.replace("replay-window 0", `replay-window 32 ${words}`));
    const text = run(namespace, "state", { statistics: 1 });
    expect(text).toContain("\treplay-window 32 seq 0x00000000 flag nopmtudisc icmp (0x00010100)\n");
    expect(text).toContain("\tmark 0x10/0xff \n\toutput-mark 0x5\n");
    expect(text).toContain(`\taead rfc4106(gcm(aes)) ${KEY} (160 bits) 64\n`);
    expect(text).toContain("\textra_flag oseq-may-wrap\n");
    expect(text).toContain("\t  limit: soft (INF)(packets), hard 10(packets)\n");
    expect(text).toContain("\tstats:\n\t  replay-window 0 replay 0 failed 0\n");
    run(namespace, "state flush");
    run(namespace, STATE.replace("replay-window 0", "replay-window 128"));
    expect(run(namespace, "state")).toContain(
      "\tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x0\n\t replay_window 128, bitmap-length 4\n\t 00000000 00000000 00000000 00000000 \n",
    );
  });

  // Each as iproute2 6.1 answered, and the table as it was.
  it.each([
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 0x1001 foo", '255: Error: argument "foo" is wrong: unknown'],
    ["src 1.1.1.1 dst 2.2.2.2 spi 0x1001", '255: Error: argument "XFRM-PROTO" is required'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 mode", '255: Command line is not complete. Try option "help"'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 mode bla", '255: Error: argument "bla" is wrong: MODE value is invalid'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi zz", '255: Error: argument "zz" is wrong: SPI value is invalid'],
    ["src x dst 2.2.2.2 proto esp spi 1", '1: Error: any valid prefix is expected rather than "x".'],
    ["src 1.1.1.1 dst 2.2.2.2 proto bla spi 1", '255: Error: argument "bla" is wrong: XFRM-PROTO value is invalid'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 reqid z", '255: Error: argument "z" is wrong: REQID value is invalid'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead", '255: Error: argument "ALGO-NAME" is required'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead n", '255: Error: argument "ALGO-KEYMAT" is required'],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead n 0x11", '255: Error: argument "ALGO-ICV-LEN" is required'],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead n 0xzz 64",
      '255: Error: argument "0xzz" is wrong: ALGO-KEYMAT value is invalid',
    ],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead n 0x11 z",
      '255: Error: argument "z" is wrong: ALGO-ICV-LEN value is invalid',
    ],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead n 0x11 64", "2: Error: Requested AEAD algorithm not found."],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1",
      '1: ALGO-TYPE value "enc" or "aead" is required with XFRM-PROTO value "esp"',
    ],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 aead a 0x1 64 aead x 0x1 64",
      '255: Error: duplicate "ALGO-TYPE": "aead" is the second value.',
    ],
    ["src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 flag esn", "255: Error: esn flag set without replay-window."],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 replay-window 99999",
      "255: Error: replay-window (99999) > XFRMA_REPLAY_ESN_MAX (4096).",
    ],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 limit bla 3",
      '255: Error: argument "bla" is wrong: LIMIT value is invalid',
    ],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 limit packet-hard z",
      '255: Error: argument "z" is wrong: value after "packet-hard" is invalid',
    ],
    [
      "src 1.1.1.1 dst 2.2.2.2 proto esp spi 1 mark 5 mask z",
      '255: Error: argument "z" is wrong: MASK value is invalid\n',
    ],
    ["", "1: Not enough information: ID is required"],
  ])("refuses `%s`", (words, answer) => {
    const namespace = makeNamespace();
    expect(run(namespace, `state add ${words}`)).toBe(answer);
    expect(run(namespace, "state count")).toBe("\t SAD count 0\n");
  });

  it("knows its own words", () => {
    const namespace = makeNamespace();
    expect(run(namespace, "state bla")).toBe('255: Command "bla" is unknown, try "ip xfrm state help".');
    expect(run(namespace, "state del")).toBe("2: RTNETLINK answers: Invalid argument");
    expect(run(namespace, "state del src 1.1.1.1 dst 2.2.2.2")).toBe('255: Error: argument "XFRM-PROTO" is required');
    expect(run(namespace, "state flush bla")).toBe('255: Error: argument "bla" is wrong: unknown');
    expect(run(namespace, "bla")).toMatch(/^255: Usage: ip xfrm XFRM-OBJECT/);
  });
});

describe("ip xfrm policy", () => {
  const DOCKER =
    "policy add src 1.1.1.1/32 dst 2.2.2.2/32 proto udp dport 4789 dir out mark 0xd0c4e3" +
    " tmpl src 1.1.1.1 dst 2.2.2.2 proto esp spi 0x53a7cc90 reqid 13681891 mode transport";

  it("prints what a real one prints", () => {
    const namespace = makeNamespace();
    for (const line of [
      DOCKER,
      "policy add src 1.1.1.0/24 dst 2.2.2.0/24 dir in priority 5 action block",
      "policy add dir fwd tmpl proto esp",
      "policy add src 1.1.1.1/32 dst 2.2.2.2/32 proto tcp sport 33 dir out priority 100 tmpl src 1.1.1.1 dst 2.2.2.2 proto esp mode transport tmpl src 3.3.3.3 dst 2.2.2.2 proto ah mode transport",
      "policy add src 1.1.1.1/32 dst 2.2.2.2/32 proto icmp type 8 code 0 dir out",
    ])
      expect(run(namespace, line)).toBe("");
    expect(run(namespace, "policy")).toBe(
      "src 1.1.1.1/32 dst 2.2.2.2/32 proto icmp type 8 code 0 \n" +
        "\tdir out priority 0 ptype main \n" +
        "src 1.1.1.1/32 dst 2.2.2.2/32 proto tcp sport 33 \n" +
        "\tdir out priority 100 ptype main \n" +
        "\ttmpl src 1.1.1.1 dst 2.2.2.2\n\t\tproto esp reqid 0 mode transport\n" +
        "\ttmpl src 3.3.3.3 dst 2.2.2.2\n\t\tproto ah reqid 0 mode transport\n" +
        "src 0.0.0.0/0 dst 0.0.0.0/0 \n" +
        "\tdir fwd priority 0 ptype main \n" +
        "\ttmpl src 0.0.0.0 dst 0.0.0.0\n\t\tproto esp reqid 0 mode transport\n" +
        "src 1.1.1.0/24 dst 2.2.2.0/24 \n" +
        "\tdir in action block priority 5 ptype main \n" +
        "src 1.1.1.1/32 dst 2.2.2.2/32 proto udp dport 4789 \n" +
        "\tdir out priority 0 ptype main \n" +
        "\tmark 0xd0c4e3/0xffffffff \n" +
        "\ttmpl src 1.1.1.1 dst 2.2.2.2\n\t\tproto esp spi 0x53a7cc90 reqid 13681891 mode transport\n",
    );
    expect(run(namespace, "policy list dir in", { oneline: true })).toBe(
      "src 1.1.1.0/24 dst 2.2.2.0/24 \\\tdir in action block priority 5 ptype main \\\n",
    );
    expect(run(namespace, "policy count")).toBe("\t SPD IN  1 OUT 3 FWD 1\n");
    const long = run(namespace, "policy list dir out", { statistics: 1 });
    expect([...long.matchAll(/index (\d+)/g)].map(([, index]) => index)).toEqual(["33", "25", "1"]);
    expect(long).toContain(
      "\t\tproto esp spi 0x53a7cc90(1403505808) reqid 13681891(0x00d0c4e3) mode transport\n" +
        "\t\tlevel required share any \n\t\tenc-mask ffffffff auth-mask ffffffff comp-mask ffffffff\n",
    );
  });

  it("is deleted by the words that made it, mark and all", () => {
    const namespace = makeNamespace();
    run(namespace, DOCKER);
    const name = "src 1.1.1.1/32 dst 2.2.2.2/32 proto udp dport 4789 dir out";
    expect(run(namespace, DOCKER)).toBe("2: RTNETLINK answers: File exists");
    expect(run(namespace, `policy delete ${name}`)).toBe("2: RTNETLINK answers: No such file or directory");
    expect(run(namespace, `policy get ${name} mark 0xd0c4e3`)).toContain("dir out");
    expect(run(namespace, "policy get index 1 dir out")).toContain("dir out");
    expect(run(namespace, `policy delete ${name} mark 0xd0c4e3`)).toBe("");
    expect(run(namespace, "policy")).toBe("");
    run(namespace, "policy update dir in");
    run(namespace, "policy add dir out");
    expect(run(namespace, "policy deleteall dir out")).toBe("");
    expect(run(namespace, "policy count")).toBe("\t SPD IN  1 OUT 0 FWD 0\n");
    expect(run(namespace, "policy flush")).toBe("");
    expect(run(namespace, "policy")).toBe("");
  });

  it.each([
    [
      "dir out tmpl proto esp mode tunnel level use",
      "2: Error: Mode in optional template not allowed in outbound policy.",
    ],
    ["src 1.1.1.0/24 dst 2.2.2.0/24", "1: Not enough information: DIR is required."],
    ["dir xx", '255: Error: argument "xx" is wrong: DIR value is invalid'],
    ["dir in dir in", '255: Error: duplicate "dir": "dir" is the second value.'],
    ["src 1.1.1.0/24 dir in action bla", '255: Error: argument "bla" is wrong: ACTION value is invalid\n'],
    ["src 1.1.1.0/24 dir in priority bla", '255: Error: argument "bla" is wrong: PRIORITY value is invalid'],
    ["src 1.1.1.0/24 proto bla dir in", '255: Error: argument "bla" is wrong: PROTO value is invalid'],
    [
      "src 1.1.1.0/24 proto udp sport bla dir in",
      '255: Error: argument "bla" is wrong: value after "sport" is invalid',
    ],
    ["src 1.1.1.0/24 dir in tmpl", '255: Command line is not complete. Try option "help"'],
    ["src 1.1.1.0/24 dir in tmpl level bla", '255: Error: argument "bla" is wrong: LEVEL value is invalid\n'],
    ["src 1.1.1.0/24 dir in tmpl bla", '255: Error: argument "XFRM-PROTO" is required'],
    ["src 1.1.1.0/24 dst 2.2.2.0/24 dir in bla", '255: Error: duplicate "unknown": "bla" is the second value.'],
    ["src 1.1.1.x/24 dir in", '1: Error: any valid prefix is expected rather than "1.1.1.x/24".'],
    ["src 1.1.1.1/44 dir in", '1: Error: any valid prefix is expected rather than "1.1.1.1/44".'],
    ["src 1.1.1.7/24 dir in mark zz", '255: Error: argument "zz" is wrong: MARK value is invalid\n'],
  ])("refuses `%s`", (words, answer) => {
    const namespace = makeNamespace();
    expect(run(namespace, `policy add ${words}`)).toBe(answer);
    expect(run(namespace, "policy count")).toBe("\t SPD IN  0 OUT 0 FWD 0\n");
  });

  it("asks for a name and a direction", () => {
    const namespace = makeNamespace();
    expect(run(namespace, "policy delete dir in")).toBe(
      "1: Not enough information: either SELECTOR or INDEX is required.",
    );
    expect(run(namespace, "policy delete src 1.1.1.0/24")).toBe("1: Not enough information: DIR is required.");
    expect(run(namespace, "policy list foo")).toBe('255: Error: argument "foo" is wrong: unknown');
    expect(run(namespace, "policy bla")).toBe('255: Command "bla" is unknown, try "ip xfrm policy help".');
  });
});
