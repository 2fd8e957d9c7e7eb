/** How the logs of tasks come to whoever asks for them (swarmkit api/logbroker.proto), on TCP 2377. */
import {
  choice,
  embedded,
  flag,
  identifier64,
  type MessageOf,
  mapped,
  message,
  octets,
  optional,
  repeated,
  text,
  texts,
} from "../../wire/protobuf-message.ts";
import { timestamp } from "./parts.ts";

export const SUBSCRIBE_LOGS = "/docker.swarmkit.v1.Logs/SubscribeLogs";
const SERVICE = "/docker.swarmkit.v1.LogBroker/";
export const LISTEN_SUBSCRIPTIONS = `${SERVICE}ListenSubscriptions`;
export const PUBLISH_LOGS = `${SERVICE}PublishLogs`;

const LARGEST = 2 ** 48;

/** `int64` of a small size, also below zero. */
const tail = mapped(
  identifier64(3),
  (value: number) => BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, "0"),
  (wire) => {
    const value = Number(BigInt.asIntN(64, BigInt(`0x${wire}`)));
    return Math.abs(value) < LARGEST ? value : 0;
  },
);

export const logOptionsShape = message({
  follow: flag(2),
  /** 0: all lines; -1: none of before; -n - 1: the last n. */
  tail,
  since: timestamp(4),
});
export type LogOptions = MessageOf<typeof logOptionsShape>;

export const logSelectorShape = message({ serviceIds: texts(1), nodeIds: texts(2), taskIds: texts(3) });
export type LogSelector = MessageOf<typeof logSelectorShape>;

export const logMessageShape = message({
  context: embedded(1, message({ serviceId: text(1), nodeId: text(2), taskId: text(3) })),
  timestamp: timestamp(2),
  stream: choice(3, ["unknown", "stdout", "stderr"]),
  data: octets(4),
});
export type LogMessage = MessageOf<typeof logMessageShape>;

export const subscribeLogsRequestShape = message({
  selector: optional(1, logSelectorShape),
  options: optional(2, logOptionsShape),
});
export const subscribeLogsMessageShape = message({ messages: repeated(1, logMessageShape) });

export const listenSubscriptionsRequestShape = message({});
export const subscriptionMessageShape = message({
  id: text(1),
  selector: optional(2, logSelectorShape),
  options: optional(3, logOptionsShape),
  close: flag(4),
});
export type SubscriptionMessage = MessageOf<typeof subscriptionMessageShape>;

export const publishLogsMessageShape = message({
  subscriptionId: text(1),
  messages: repeated(2, logMessageShape),
  close: flag(3),
});
export const publishLogsResponseShape = message({});
