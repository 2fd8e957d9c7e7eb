import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySink } from "../../src/capture/byte-sink.ts";
import { readCapture } from "../../src/capture/capture-reader.ts";
import { compileFilter } from "../../src/capture/filter.ts";
import { PcapFileWriter } from "../../src/capture/pcap-file-writer.ts";
import {
  anyExpression,
  anyFrame,
  anyPrimitive,
  anyTunnelExpression,
  anyTunnelled,
  anyVlanExpression,
} from "./arbitraries.ts";
import { missing, runTool } from "./external-tools.ts";

const SEED = 20_260;

/** A classic capture with frame number i at i seconds. */
function captureOf(frames: readonly Uint8Array[]): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapFileWriter(sink, { resolution: "microseconds" });
  frames.forEach((frame, index) => {
    writer.record(index, 0, frame, 0, frame.length);
  });
  writer.close();
  return sink.toBytes();
}

/**
 * With `-O`, that is without libpcap's optimizer: it leaves out loads whose result does not matter, so that a frame that was cut in front of
 * such a field passes where the same expression, written otherwise, refuses it.
 */
function chosenByTcpdump(capture: Uint8Array, expression: string, ...options: string[]): number[] {
  const run = runTool("tcpdump", ["-O", ...options, "-r", "-", "-w", "-", expression], capture);
  if (run.status !== 0) throw new Error(`tcpdump refuses ${expression}: ${run.err}`);
  return readCapture(run.out).frames.map((frame) => frame.time.seconds);
}

function chosenByUs(frames: readonly Uint8Array[], expression: string): number[] {
  const filter = compileFilter(expression);
  if (typeof filter !== "function") throw new Error(`refused ${expression}: ${JSON.stringify(filter)}`);
  return frames.flatMap((frame, index) => (filter(frame, 0, frame.length) ? [index] : []));
}

describe.skipIf(missing("tcpdump"))("A capture filter", () => {
  const frames = fc.sample(anyFrame, { seed: SEED, numRuns: 400 });
  const capture = captureOf(frames);

  it("chooses what tcpdump chooses, for single primitives, and hits with most of them", () => {
    const expressions = [...new Set(fc.sample(anyPrimitive, { seed: SEED, numRuns: 300 }))];
    let hits = 0;
    for (const expression of expressions) {
      const chosen = chosenByUs(frames, expression);
      expect(chosen, expression).toEqual(chosenByTcpdump(capture, expression));
      if (chosen.length > 0) hits++;
    }
    expect(hits / expressions.length).toBeGreaterThan(0.8);
  });

  it("chooses what tcpdump chooses, for combinations", () => {
    fc.assert(
      fc.property(fc.oneof(anyExpression, anyVlanExpression), (expression) => {
        expect(chosenByUs(frames, expression)).toEqual(chosenByTcpdump(capture, expression));
      }),
    );
  });

  it("looks into Geneve as tcpdump does, and into VXLAN as into Geneve", () => {
    const twins = fc.sample(anyTunnelled(fc.constant(0), fc.constant(0x6558)), { seed: SEED, numRuns: 300 });
    const outer = [...twins.map((twin) => twin.geneve), ...frames.slice(0, 50)];
    const vxlan = [...twins.map((twin) => twin.vxlan), ...frames.slice(0, 50)];
    const geneveCapture = captureOf(outer);
    fc.assert(
      fc.property(anyTunnelExpression, (expression) => {
        const expected = chosenByTcpdump(geneveCapture, expression.replace("TUNNEL", "geneve"));
        expect(chosenByUs(outer, expression.replace("TUNNEL", "geneve"))).toEqual(expected);
        expect(chosenByUs(vxlan, expression.replace("TUNNEL", "vxlan"))).toEqual(expected);
      }),
    );
  });

  it("skips Geneve's options, and reads packets without an inner Ethernet header", () => {
    const twins = fc.sample(anyTunnelled(fc.nat(3), fc.constantFrom(0x6558, 0x0800)), { seed: SEED, numRuns: 200 });
    const outer = twins.map((twin) => twin.geneve);
    const geneveCapture = captureOf(outer);
    fc.assert(
      fc.property(anyTunnelExpression, (expression) => {
        const text = expression.replace("TUNNEL", "geneve");
        expect(chosenByUs(outer, text)).toEqual(chosenByTcpdump(geneveCapture, text));
      }),
      { numRuns: 50 },
    );
  });
});
