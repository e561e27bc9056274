/** Doctor: would the node start with its data directory and NATS? The same check as `rivulet repair`, without changes. */
import type { LoadedConfig } from '../../config/config.js';
import { deploymentIn } from '../../node/deployment.js';
import { broken, type Check, type Finding, ok, warning } from './finding.js';
import { processOn } from './machine.js';
import { livingNote } from './facade-address.js';
import { runningServer } from '../nats-link.js';
import { natsOptions } from '../node/node-options.js';
import { examined } from '../repair/repair.js';
import { changeText } from '../repartition/journal.js';
import { strangeText } from '../repair/strange-entries.js';
import { grouped, harmless } from '../terminal.js';

export const stateChecks = (loaded: LoadedConfig): Check[] => [{ name: 'state', run: () => state(loaded) }];

async function state(loaded: LoadedConfig): Promise<readonly Finding[]> {
  const { config } = loaded;
  const { dataDir } = config;
  // A running node has the stores locked, and reports its own health; if none has run there is no state to check.
  if ((await processOn(dataDir)) !== undefined) {
    const warnings = livingNote(dataDir)?.warnings ?? [];
    return warnings.map((text) => warning(harmless(text), 'see the log of the node'));
  }
  if (deploymentIn(dataDir) === undefined) return [];
  // The server of a killed node: a read-only check must not end it.
  if (natsOptions(config) === undefined && runningServer(dataDir) !== undefined) return [];
  const { repartition, strange, stores, present } = await examined(loaded);
  const findings = [
    ...strange.map((entry) => broken(strangeText(entry), 'rivulet repair --yes removes it; a node makes it anew')),
    ...stores
      .filter(({ remedy }) => remedy !== 'nothing')
      .map(({ store, problems, because, remedy }) =>
        broken(
          `${store}: ${harmless([...problems, ...because].join('; '))}`,
          remedy === 'lost'
            ? 'restore a backup; or see in rivulet repair what can be computed anew, and what would be lost'
            : 'see rivulet repair, which can make it good',
        ),
      ),
  ];
  if (repartition !== undefined) {
    findings.push(broken(`a repartition ${changeText(repartition)} was interrupted`, 'see rivulet repair'));
  }
  return findings.length > 0 ? findings : [ok(`${grouped(present)} stores are sound and fit the log`)];
}
