/**
 * Small scope, whole: every order of up to so many events, for state machines that cannot be copied. Each history is played from its beginning; histories that lead
 * to a state that was met before are not gone on with.
 */

/** A small world of state machines. */
export interface SmallWorld {
  /** How many events are possible now. */
  readonly choices: number;
  /** Takes one of them; says what law it broke. */
  take(choice: number): string | undefined;
  /** Equal for states from which the same can follow. */
  readonly state: string;
}

export interface ScopeReport {
  /** Different states met. */
  readonly states: number;
  /** The shortest history that breaks a law. */
  readonly broken: { readonly words: string; readonly history: readonly number[] } | undefined;
}

/** Breadth first, so that what is found first is shortest. Stops after `mostStates`. */
export function explore(
  make: () => SmallWorld,
  mostEvents: number,
  mostStates = Number.POSITIVE_INFINITY,
): ScopeReport {
  const met = new Set<string>([make().state]);
  let border: (readonly number[])[] = [[]];
  for (let event = 0; event < mostEvents; event++) {
    const next: (readonly number[])[] = [];
    for (const history of border) {
      const choices = replay(make, history).choices;
      for (let choice = 0; choice < choices; choice++) {
        const world = replay(make, history);
        const words = world.take(choice);
        const longer = [...history, choice];
        if (words !== undefined) return { states: met.size, broken: { words, history: longer } };
        const { state } = world;
        if (met.has(state)) continue;
        met.add(state);
        next.push(longer);
        if (met.size >= mostStates) return { states: met.size, broken: undefined };
      }
    }
    border = next;
  }
  return { states: met.size, broken: undefined };
}

function replay(make: () => SmallWorld, history: readonly number[]): SmallWorld {
  const world = make();
  for (const choice of history) world.take(choice);
  return world;
}
