// Bundles src/entries into ../static: fingerprinted names, one manifest, nothing that a strict CSP would refuse.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const web = dirname(here);
const out = join(web, "static");
const modules = join(here, "node_modules");

// Names that a page chooses while it runs stand in icons.txt; names written out, icon("x"), are found where they are.
const ICON_CALL = /\bicon\(\s*["']([a-z0-9-]+)["']/g;
const ICON_PLACES = [
  { folder: source, ends: ".ts" },
  { folder: join(dirname(dirname(web)), "templates"), ends: ".html" },
];

const fingerprint = (content) =>
  createHash("sha256").update(content).digest("base64url").slice(0, 8).replace(/[-_]/g, "0");

async function filesBelow(folder, ends) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ends))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function usedIcons() {
  const lines = (await readFile(join(source, "icons.txt"), "utf8")).split("\n").map((line) => line.trim());
  const names = new Set(lines.filter((line) => line && !line.startsWith("#")));
  for (const place of ICON_PLACES) {
    for (const file of await filesBelow(place.folder, place.ends)) {
      for (const match of (await readFile(file, "utf8")).matchAll(ICON_CALL)) names.add(match[1]);
    }
  }
  return [...names].sort();
}

async function sprite(names) {
  const symbols = await Promise.all(
    names.map(async (name) => {
      const svg = await readFile(join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8").catch(() => {
        throw new Error(`no Tabler outline icon is called ${name}`);
      });
      const inner = svg.slice(svg.indexOf(">") + 1, svg.lastIndexOf("</svg>")).replace(/\s*\n\s*/g, "");
      const shape = inner.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "");
      return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">${shape}</symbol>`;
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
}

// X6 adds a <style> element when it is loaded, which `style-src 'self'` refuses; styles/builder.css has the rules instead.
const x6WithoutStyleElement = {
  name: "x6-without-style-element",
  setup(setup) {
    setup.onLoad({ filter: /@antv\/x6\/es\/common\/css-loader\/index\.js$/ }, () => ({
      contents: "export function ensure() {}\nexport function clean() {}\n",
    }));
  },
};

async function pretendard() {
  const { version } = JSON.parse(await readFile(join(modules, "pretendard/package.json"), "utf8"));
  const folder = `pretendard-${version}`;
  const from = join(modules, "pretendard/dist/web/variable");
  await cp(join(from, "woff2-dynamic-subset"), join(out, folder, "woff2-dynamic-subset"), { recursive: true });
  const css = await readFile(join(from, "pretendardvariable-dynamic-subset.css"), "utf8");
  const name = `${folder}/pretendard.css`;
  await writeFile(join(out, name), css);
  return name;
}

async function bundle(iconsUrl) {
  const scripts = await filesBelow(join(source, "entries"), ".ts");
  const styles = await filesBelow(join(source, "entries"), ".css");
  const common = {
    bundle: true,
    minify: true,
    metafile: true,
    outdir: out,
    entryNames: "[name]-[hash]",
    logLevel: "warning",
  };
  const results = await Promise.all([
    build({
      ...common,
      entryPoints: scripts,
      format: "esm",
      target: ["es2022"],
      splitting: true,
      chunkNames: "chunk-[hash]",
      define: { ICONS_URL: JSON.stringify(iconsUrl) },
      plugins: [x6WithoutStyleElement],
    }),
    // Older targets would have esbuild rewrite light-dark(), which every colour of the tokens uses.
    build({ ...common, entryPoints: styles, target: ["chrome123", "firefox120", "safari17.5"] }),
  ]);
  const names = {};
  for (const { metafile } of results) {
    for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
      if (entryPoint) names[basename(entryPoint).replace(/\.ts$/, ".js")] = relative(out, join(process.cwd(), file));
    }
  }
  return names;
}

/** What browsers take compressed lies beside the files, packed once as small as it gets. */
async function packed() {
  const files = await readdir(out, { recursive: true, withFileTypes: true });
  const texts = files.filter((file) => file.isFile() && /\.(?:css|js|svg)$/.test(file.name));
  for (const file of texts) {
    const path = join(file.parentPath, file.name);
    const content = await readFile(path);
    await writeFile(`${path}.br`, brotliCompressSync(content));
    await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
  }
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const icons = await sprite(await usedIcons());
const iconsName = `icons-${fingerprint(icons)}.svg`;
await writeFile(join(out, iconsName), icons);
const logo = await readFile(join(source, "logo.svg"), "utf8");
const logoName = `logo-${fingerprint(logo)}.svg`;
await writeFile(join(out, logoName), logo);
const manifest = {
  "logo.svg": logoName,
  "icons.svg": iconsName,
  "pretendard.css": await pretendard(),
  ...(await bundle(`/static/${iconsName}`)),
};
await packed();
// Written last: it is also make's stamp, so a build that failed half-way is begun again.
await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
