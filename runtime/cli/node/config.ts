/** `rivulet config`: the effective values, and their origins. */
import { shownValue, valueAt } from '../../config/config.js';
import { CONFIG_KEYS } from '../../config/schema.js';
import { type JsonOptions, settingsOf } from '../settings.js';
import { table } from '../terminal.js';

export function config(options: JsonOptions): void {
  const { config: values, origins } = settingsOf(options);
  const rows = CONFIG_KEYS.map((key) => {
    const value = valueAt(values, key.key);
    const shown = shownValue(key, value);
    return { key: key.key, value: typeof value === 'string' ? shown : value, shown, from: origins.get(key.key)?.name };
  });
  if (options.json === true) {
    const document = Object.fromEntries(
      rows.map(({ key, value, from }) => [key, { value: value ?? null, from: from ?? null }]),
    );
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    return;
  }
  const lines = rows.map(({ key, shown, from }) => [key, from === undefined ? '–' : shown, from ?? 'not set']);
  process.stdout.write(`${table(['KEY', 'VALUE', 'FROM'], lines)}\n`);
}
