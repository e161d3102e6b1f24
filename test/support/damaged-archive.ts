import {
  makeArchive,
  makeLayer,
  makeLayout,
  makeTar,
  type TestFiles,
  type TestLayer,
} from './oci-layout.ts';

export const FILE = { name: 'file', content: 'content' };
export const PLAIN = makeLayer(makeTar([FILE]), 'none');

/** An archive with one image of one layer, damaged before it is packed. */
export function archive(layer: TestLayer, damage: (files: TestFiles) => void = () => {}): Buffer {
  const files = makeLayout({ layers: [layer], refName: 'hostile' });
  damage(files);
  return makeArchive(files);
}
