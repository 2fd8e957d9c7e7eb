/** One question to one name server, for programs: they sleep until there is an answer. */
import { Exchange, type ExchangeResult, type ExchangeSettings } from "../../docker/resolver/exchange.ts";
import { type Process, type Wait, WaitQueue, type Wake } from "../../linux/process.ts";

/** "signal": the program was told to end meanwhile. */
export function* ask(process: Process, settings: ExchangeSettings): Generator<Wait, ExchangeResult | "signal", Wake> {
  const answered = new WaitQueue();
  let result: ExchangeResult | undefined;
  const exchange = new Exchange(settings, (found) => {
    result = found;
    answered.wake();
  });
  process.atExit(() => exchange.cancel());
  while (result === undefined) {
    if ((yield { queues: [answered] }) === "signal" && process.pendingSignal !== undefined) {
      exchange.cancel();
      return "signal";
    }
  }
  return result;
}
