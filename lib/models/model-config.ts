/** Hugging Face's `config.json`, value by value, each checked when it is asked for. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelConfigError } from '../errors';
import { writeFileAtomic } from '../store/disk';
import { isMap } from '../store/record-file';

export class ModelConfig {
  /** `file` is where the values are from, for messages. */
  constructor(
    readonly file: string,
    readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /** Reads `config.json`, or another file of values, in a directory. @throws ModelConfigError if there is none, or it holds no JSON object */
  static async read(directory: string, name = 'config.json'): Promise<ModelConfig> {
    const file = path.join(directory, name);
    let values: unknown;
    try {
      values = JSON.parse(await fs.promises.readFile(file, 'utf8'));
    } catch (cause) {
      throw new ModelConfigError(file, name, undefined, 'a file of JSON', { cause });
    }
    if (!isMap(values)) throw new ModelConfigError(file, name, values, 'a JSON object');
    return new ModelConfig(file, values);
  }

  /** Writes the values as a file of that name in `directory`. @throws DiskWriteError */
  write(directory: string, name = 'config.json'): void {
    writeFileAtomic(path.join(directory, name), [Buffer.from(`${JSON.stringify(this.values, null, 2)}\n`)]);
  }

  /** A positive whole number. Without a default it must be there. @throws ModelConfigError */
  size(field: string, otherwise?: number): number {
    const size = this.number(field, otherwise);
    if (!Number.isSafeInteger(size) || size <= 0) this.refuse(field, 'a positive whole number');
    return size;
  }

  /** @throws ModelConfigError */
  number(field: string, otherwise?: number): number {
    const value = this.values[field] ?? otherwise;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.refuse(field, 'a number');
  }

  /** @throws ModelConfigError */
  flag(field: string, otherwise: boolean): boolean {
    const value = this.values[field] ?? otherwise;
    return typeof value === 'boolean' ? value : this.refuse(field, 'true or false');
  }

  /** @throws ModelConfigError */
  choice<Name extends string>(field: string, names: readonly Name[], otherwise?: Name): Name {
    const value = this.values[field] ?? otherwise;
    return names.find((name) => name === value) ?? this.refuse(field, `one of ${names.join(', ')}`);
  }

  /** The object in a field; empty if there is none. @throws ModelConfigError */
  inside(field: string): ModelConfig {
    const values = this.values[field] ?? {};
    return isMap(values)
      ? new ModelConfig(`${this.file}, ${field}`, values)
      : this.refuse(field, 'an object');
  }

  /** These values in place of those that there are. */
  with(values: Readonly<Record<string, unknown>>): ModelConfig {
    return new ModelConfig(this.file, { ...this.values, ...values });
  }

  /** @throws ModelConfigError, which says what the field must be */
  refuse(field: string, expected: string): never {
    throw new ModelConfigError(this.file, field, this.values[field], expected);
  }
}
