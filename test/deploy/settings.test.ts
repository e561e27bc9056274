/** What deploy/ sets is what there is: variables of Rivulet, versions of images and of the package. */
import { describe, expect, it } from 'vitest';
import { VERSION_PINNED } from '../../connectors/nats/provision/version.js';
import { CONFIG_KEYS } from '../../runtime/config/schema.js';
import { FILE_VARIABLE } from '../../runtime/config/sources.js';
import { deployFiles, textOfFile } from './deploy-files.js';

const OURS = new Set([...CONFIG_KEYS.map(({ variable }) => variable), FILE_VARIABLE, 'RIVULET_TOKEN']);
/** Of streams, buckets and such, not of the environment: RIVULET_PARSE. */
const STREAM = /^RIVULET_(PARSE|FILES|DEAD_LETTER|HISTORY|LATE|QUARANTINE|RESTORING|REPARTITIONING|DEPLOYMENT)$/;

const files = deployFiles();
const { version } = JSON.parse(textOfFile('package.json')) as { version: string };

it('there are files to look at', () => {
  expect(files).toEqual(
    expect.arrayContaining(['deploy/Dockerfile', 'deploy/compose.yaml', 'deploy/kubernetes/base/rivulet.yaml']),
  );
});

it.each(files)('%s: each variable of Rivulet is one that it reads', (path) => {
  const named = [...textOfFile(path).matchAll(/\bRIVULET_[A-Z0-9_]+\b/g)].map(([name]) => name);
  // NATS_RIVULET_PASSWORD and the like begin otherwise; the manifest hands a password on under a name of its own.
  const own = named.filter((name) => name !== 'RIVULET_PASSWORD' && !STREAM.test(name));
  expect([...new Set(own)].filter((name) => !OURS.has(name))).toEqual([]);
});

describe('images', () => {
  const images = files.flatMap((path) =>
    [...textOfFile(path).matchAll(/^\s*(?:- )?(?:image:|FROM)\s+(\S+)/gm)].map(([, image]) => ({
      path,
      image: image!,
    })),
  );

  it('are of one version each', () => {
    expect(images.length).toBeGreaterThan(5);
    // Its version is in the kustomization.
    const others = images.filter(({ image }) => image !== 'rivulet');
    for (const { path, image } of others)
      expect([path, image]).toEqual([path, expect.stringMatching(/:v?\d+\.\d+\.\d+(-|$)/)]);
  });

  it('are of the NATS that Rivulet is tested with', () => {
    const nats = images.filter(({ image }) => image.startsWith('nats:'));
    expect(new Set(nats.map(({ image }) => image))).toEqual(new Set([`nats:${VERSION_PINNED}-alpine`]));
  });

  it('are of this Rivulet', () => {
    const own = images.map(({ image }) => image).filter((image) => image.startsWith('rivulet:'));
    const tags = files.flatMap((path) => [...textOfFile(path).matchAll(/newTag: (\S+)/g)].map(([, tag]) => tag!));
    expect(new Set([...own.map((image) => image.slice('rivulet:'.length)), ...tags])).toEqual(new Set([version]));
  });
});

it.each(files)('%s holds no secret', (path) => {
  const given = [
    ...textOfFile(path).matchAll(/(?:PASSWORD|TOKEN|SECRET)['"]?[ \t]*[:=](?!\?)[ \t]*['"]?[^\s'"$#…(]+/g),
  ];
  expect(given.map(([whole]) => whole)).toEqual([]);
  expect(textOfFile(path)).not.toMatch(/BEGIN [A-Z ]*PRIVATE KEY/);
});
