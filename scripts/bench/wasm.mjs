// The compressed size of what the site ships, and a look at pages that have no island.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { openBrowser, openPage, startPanel } from '../../end2end/harness.mjs';
import { bench } from './bench.mjs';

const app = process.argv[2];
const pkg = join(app, 'site', 'pkg');

/** Size in kB (1000 bytes) as a browser fetches it: brotli at the quality of files that are compressed once. */
const sizeOf = async (suffix) => {
  let bytes = 0;
  for (const file of await readdir(pkg)) {
    if (!file.endsWith(suffix)) continue; // what is compressed already ends in .br
    bytes += brotliCompressSync(await readFile(join(pkg, file)), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
  }
  if (bytes === 0) throw new Error(`the site has no *${suffix}`);
  return bytes / 1000;
};

bench('wasm.islands', await sizeOf('.wasm'), 'kB', { most: 350 });
bench('wasm.glue', await sizeOf('.js'), 'kB');
bench('wasm.styles', await sizeOf('.css'), 'kB');

const panel = await startPanel({ app, swarm: 'fake' });
const browser = await openBrowser();
try {
  let plain = 0;
  let loads = 0;
  for (const path of ['/sign-in', '/sign-up', '/no-such-page']) {
    const page = await openPage(browser);
    page.on('request', (request) => {
      if (request.url().endsWith('.wasm')) loads += 1;
    });
    await page.goto(panel.url + path, { waitUntil: 'networkidle' });
    if ((await page.locator('leptos-island').count()) === 0) plain += 1;
    await page.context().close();
  }
  if (plain === 0) throw new Error('none of the pages that were tried is without islands');
  bench('wasm.pages_without_islands_that_load_it', loads, 'pages', { most: 0 });
} finally {
  await browser.close();
  await panel.stop();
}
