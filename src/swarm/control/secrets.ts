/** Secrets and configs in the Control service (swarmkit manager/controlapi/secret.go, config.go): one kind as the other but for size and words. */

import type { Random } from "../../sim/random.ts";
import { sameBytes } from "../../wire/bytes.ts";
import type { RequestOf, ResponseOf } from "../api/control.ts";
import { configShape, type Secret, secretShape } from "../api/objects.ts";
import { type ConfigSpec, configSpecShape, type SecretSpec, secretSpecShape } from "../api/specs.ts";
import { type Status, status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type { ObjectOf, Store, Transaction } from "../store/store.ts";
import { selectAnnotated } from "./filters.ts";
import { refuseFileName } from "./names.ts";
import { type Answered, INVALID_ARGUMENT, notFound, OUT_OF_SEQUENCE, refuse } from "./refusals.ts";
import { write } from "./write.ts";

type FileKind = "secret" | "config";
type Spec = SecretSpec | ConfigSpec;

/** Sizes at and above which data is refused. */
const LIMIT_BYTES = { secret: 500 * 1024, config: 1000 * 1024 } as const;
const NO_DATA = new Uint8Array(0);

export class FileObjects<K extends FileKind> {
  readonly #kind: K;
  readonly #store: Store;
  readonly #random: Random;

  constructor(kind: K, store: Store, random: Random) {
    this.#kind = kind;
    this.#store = store;
    this.#random = random;
  }

  /** The data of a secret is never given back. */
  get(id: string): Answered<ObjectOf[K]> {
    if (id === "") return { status: this.#noId() };
    const object = this.#store.get(this.#kind, id);
    return object === undefined ? { status: notFound(this.#kind, id) } : { response: this.#shown(object) };
  }

  list({ filters }: RequestOf<"ListSecrets">): ObjectOf[K][] {
    return selectAnnotated(this.#store.all(this.#kind), filters).map((object) => this.#shown(object));
  }

  create(spec: Spec | undefined, done: (answer: Answered<ObjectOf[K]>) => void): void {
    const kind = this.#kind;
    const refused = spec === undefined ? INVALID_ARGUMENT : this.#refuseSpec(spec);
    if (refused !== undefined || spec === undefined) {
      done({ status: refused ?? INVALID_ARGUMENT });
      return;
    }
    const id = newId(this.#random);
    const object = (
      kind === "secret"
        ? secretShape.make({ id, spec: { ...secretSpecShape.make(), ...spec } })
        : configShape.make({ id, spec })
    ) as ObjectOf[K];
    write(
      this.#store,
      (tx) => {
        if (tx.create(kind, object) === undefined) return () => this.#shown(this.#store.get(kind, id) ?? object);
        return refuse("AlreadyExists", `${kind} ${spec.annotations.name} already exists`);
      },
      done,
    );
  }

  /** Labels alone may change. */
  update(request: RequestOf<"UpdateSecret" | "UpdateConfig">, done: (answer: Answered<ObjectOf[K]>) => void): void {
    const kind = this.#kind;
    const { id, version, spec } = request;
    if (id === "" || version === undefined) {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const object = tx.get(kind, id);
        if (object === undefined) return { status: notFound(kind, id) };
        const wanted: Spec = spec ?? (kind === "secret" ? secretSpecShape.make() : configSpecShape.make());
        const isOther = wanted.data.length > 0 && !sameBytes(wanted.data, object.spec.data);
        if (object.spec.annotations.name !== wanted.annotations.name || isOther)
          return refuse("InvalidArgument", "only updates to Labels are allowed");
        const { name } = object.spec.annotations;
        const changed = {
          ...object,
          meta: { ...object.meta, version },
          spec: { ...object.spec, annotations: { name, labels: wanted.annotations.labels } },
        };
        if (tx.update(kind, changed) !== undefined) return { status: OUT_OF_SEQUENCE };
        return () => this.#shown(this.#store.get(kind, id) ?? object);
      },
      done,
    );
  }

  remove(id: string, done: (answer: Answered<ResponseOf<"RemoveSecret">>) => void): void {
    if (id === "") {
      done({ status: this.#noId() });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const refused = this.#refuseRemoval(tx, id);
        if (refused !== undefined) return { status: refused };
        tx.remove(this.#kind, id);
        return () => ({});
      },
      done,
    );
  }

  #refuseRemoval(tx: Transaction, id: string): Status | undefined {
    const kind = this.#kind;
    const object = tx.get(kind, id);
    if (object === undefined) return status("NotFound", `could not find ${kind} ${id}`);
    const users = tx.servicesUsing(kind, id).map(({ spec }) => spec.annotations.name);
    if (users.length === 0) return undefined;
    const services = users.length === 1 ? "service" : "services";
    const { name } = object.spec.annotations;
    return status("InvalidArgument", `${kind} '${name}' is in use by the following ${services}: ${users.join(", ")}`);
  }

  #refuseSpec(spec: Spec): Status | undefined {
    const refused = refuseFileName(spec.annotations);
    if (refused !== undefined) return refused;
    if ("driver" in spec && spec.driver !== undefined) {
      const { name } = spec.driver;
      if (name === "") return status("InvalidArgument", "secret driver must have a name");
      return status("InvalidArgument", `error during lookup of plugin ${name}: plugin "${name}" not found`);
    }
    const limit = LIMIT_BYTES[this.#kind];
    if (spec.data.length === 0 || spec.data.length >= limit)
      return status("InvalidArgument", `${this.#kind} data must be larger than 0 and less than ${limit} bytes`);
    return undefined;
  }

  #noId(): Status {
    return status("InvalidArgument", `${this.#kind} ID must be provided`);
  }

  #shown(object: ObjectOf[K]): ObjectOf[K] {
    if (this.#kind === "config") return object;
    const secret = object as Secret;
    return { ...secret, spec: { ...secret.spec, data: NO_DATA } } as ObjectOf[K];
  }
}
