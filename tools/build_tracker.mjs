/** Minifies static/tracker.js and prints its sizes; `--check` only compares with what is committed. */
import { readFile, writeFile } from 'node:fs/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { minify } from 'terser'

const source = new URL('../static/tracker.js', import.meta.url)
const target = new URL('../static/tracker.min.js', import.meta.url)

// One kind of declaration instead of two packs smaller.
const declared = (await readFile(source, 'utf8')).replace(/\bconst (?=[\w[{])/g, 'let ')
const { code } = await minify(declared, {
  ecma: 2018,
  compress: {
    passes: 5,
    unsafe_arrows: true,
    unsafe_methods: true,
    pure_getters: true,
    keep_fargs: false,
    // These make it smaller once it is packed, though longer.
    conditionals: false,
    hoist_funs: true,
    lhs_constants: false,
    reduce_funcs: false,
  },
  format: { comments: false },
})
const built = code + '\n'

if (process.argv.includes('--check')) {
  if ((await readFile(target, 'utf8')) !== built) {
    console.error('static/tracker.min.js is not what static/tracker.js builds: run `npm run build`.')
    process.exit(1)
  }
} else {
  await writeFile(target, built)
}
const bytes = Buffer.from(built)
const sizes = { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length }
console.log(`tracker.min.js  raw ${sizes.raw} B  gzip ${sizes.gzip} B  brotli ${sizes.brotli} B`)
