/**
 * Which frames a link or netem loses by chance: each by itself, or in bursts as the two-state model of Gilbert and Elliott has it (E. N.
 * Gilbert, BSTJ 39, 1960; E. O. Elliott, BSTJ 42, 1963), with the transitions in the order of netem's `loss gemodel`.
 * Chances are parts per million.
 */
import type { Random } from "../sim/random.ts";

export type LossModel =
  | { readonly kind: "none" }
  | { readonly kind: "random"; readonly partsPerMillion: number }
  | {
      readonly kind: "gilbert-elliott";
      /** p: from the good to the bad state, asked once a frame. */
      readonly goodToBadPartsPerMillion: number;
      /** r: from the bad to the good state. */
      readonly badToGoodPartsPerMillion: number;
      /** 1-h: loss in the bad state. */
      readonly lossInBadPartsPerMillion: number;
      /** 1-k: loss in the good state. */
      readonly lossInGoodPartsPerMillion: number;
    }
  | {
      /** netem's `loss state`: a gap with lone losses, and a burst that receives and loses in turns. */
      readonly kind: "four-state";
      /** From the gap to loss in a burst. */
      readonly p13PartsPerMillion: number;
      /** From loss in a burst to the gap. */
      readonly p31PartsPerMillion: number;
      /** From loss in a burst to reception in the burst. */
      readonly p32PartsPerMillion: number;
      /** From reception in a burst to loss. */
      readonly p23PartsPerMillion: number;
      /** A lone loss within the gap. */
      readonly p14PartsPerMillion: number;
    };

type FourState = "gap" | "gap-loss" | "burst" | "burst-loss";

export const NO_LOSS: LossModel = { kind: "none" };

/** The model's state in time: one for each direction of a link, one for each netem. */
export class LossProcess {
  readonly #model: LossModel;
  readonly #random: Random;
  #bad = false;
  #state: FourState = "gap";

  constructor(model: LossModel, random: Random) {
    this.#model = model;
    this.#random = random;
  }

  /** Is the next frame lost? To be asked once a frame. */
  lose(): boolean {
    const model = this.#model;
    switch (model.kind) {
      case "none":
        return false;
      case "random":
        return this.#random.chance(model.partsPerMillion);
      case "gilbert-elliott": {
        // The loss is that of the state the frame meets; a change of state counts from the next frame on.
        const bad = this.#bad;
        const turn = bad ? model.badToGoodPartsPerMillion : model.goodToBadPartsPerMillion;
        if (this.#random.chance(turn)) this.#bad = !bad;
        return this.#random.chance(bad ? model.lossInBadPartsPerMillion : model.lossInGoodPartsPerMillion);
      }
      case "four-state":
        this.#state = this.#nextState(model);
        return this.#state === "burst-loss" || this.#state === "gap-loss";
    }
  }

  /** loss_4state() of sch_netem.c: one draw a frame. */
  #nextState(model: Extract<LossModel, { kind: "four-state" }>): FourState {
    const drawn = this.#random.below(1_000_000);
    switch (this.#state) {
      case "gap":
        if (drawn < model.p14PartsPerMillion) return "gap-loss";
        return drawn < model.p13PartsPerMillion + model.p14PartsPerMillion ? "burst-loss" : "gap";
      case "burst":
        return drawn < model.p23PartsPerMillion ? "burst-loss" : "burst";
      case "burst-loss":
        if (drawn < model.p32PartsPerMillion) return "burst";
        return drawn < model.p31PartsPerMillion + model.p32PartsPerMillion ? "gap" : "burst-loss";
      case "gap-loss":
        return "gap"; // and this frame passes, as there
    }
  }
}
