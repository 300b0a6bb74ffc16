// name-by-content.mjs FOLDER HASHES - puts a hash of its content into the name of each file in FOLDER/pkg that a page names, so that browsers may
// keep it for ever, and writes the hashes where the panel looks for them: a line "js: …", "wasm: …", "css: …" each.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, hashes] = process.argv.slice(2);
const lines = ['js', 'wasm', 'css'].map((kind) => {
  const path = join(folder, 'pkg', `skypanel.${kind}`);
  const hash = createHash('md5').update(readFileSync(path)).digest('base64url');
  renameSync(path, join(folder, 'pkg', `skypanel.${hash}.${kind}`));
  return `${kind}: ${hash}\n`;
});
writeFileSync(hashes, lines.join(''));
