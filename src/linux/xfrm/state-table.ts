/** The security associations of a namespace: found by SPI when a packet comes in, by what a policy asks for when one goes out (net/xfrm/xfrm_state.c). */
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import type { Template } from "./policy.ts";
import { type Flow, fitsMark, type Mark, selects } from "./selector.ts";
import type { XfrmState } from "./state.ts";

export class StateTable {
  #newestFirst: XfrmState[] = [];
  readonly #bySpi = new Map<number, XfrmState[]>();
  readonly #byDestination = new Map<number, XfrmState[]>();

  /** The newest first, as the kernel dumps them. */
  get list(): readonly XfrmState[] {
    return this.#newestFirst;
  }

  /** EEXIST: the destination has one with this SPI and mark. */
  add(state: XfrmState): Errno | undefined {
    const { spi, destination, mark } = state.request;
    if (spi !== 0 && this.find(destination, spi, mark.value & mark.mask) !== undefined) return "EEXIST";
    this.#newestFirst.unshift(state);
    put(this.#bySpi, spi, state);
    put(this.#byDestination, destination, state);
    return undefined;
  }

  remove(state: XfrmState): void {
    this.#newestFirst = this.#newestFirst.filter((other) => other !== state);
    take(this.#bySpi, state.request.spi, state);
    take(this.#byDestination, state.request.destination, state);
  }

  flush(): void {
    this.#newestFirst = [];
    this.#bySpi.clear();
    this.#byDestination.clear();
  }

  /** The one that a packet to `destination` with this SPI belongs to. */
  find(destination: Ipv4Address, spi: number, packetMark: number): XfrmState | undefined {
    const states = this.#bySpi.get(spi | 0);
    if (states === undefined) return undefined;
    for (const state of states)
      if (state.request.destination === destination && fitsMark(state.request.mark, packetMark)) return state;
    return undefined;
  }

  /** The one with exactly these words; what `ip xfrm state delete` and `get` name. */
  findExactly(destination: Ipv4Address, spi: number, mark: Mark): XfrmState | undefined {
    return this.find(destination, spi, mark.value & mark.mask);
  }

  /** The newest that may carry a flow as `template` asks. Transport mode: between the flow's own addresses. */
  findFor(template: Template, flow: Flow): XfrmState | undefined {
    const states = this.#byDestination.get(flow.destination | 0);
    if (states === undefined) return undefined;
    for (const state of states) {
      const { request } = state;
      if (
        request.source === flow.source &&
        request.reqid === template.reqid &&
        (template.spi === 0 || request.spi === template.spi) &&
        fitsMark(request.mark, flow.mark) &&
        selects(request.selector, flow)
      )
        return state;
    }
    return undefined;
  }
}

function put(map: Map<number, XfrmState[]>, key: number, state: XfrmState): void {
  const states = map.get(key | 0);
  if (states === undefined) map.set(key | 0, [state]);
  else states.unshift(state);
}

function take(map: Map<number, XfrmState[]>, key: number, state: XfrmState): void {
  const left = map.get(key | 0)?.filter((other) => other !== state) ?? [];
  if (left.length > 0) map.set(key | 0, left);
  else map.delete(key | 0);
}
